"""A table as data frames of Polars and pandas, and back."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import vmem


def main() -> None:
    laps = vmem.Table({"driver": "str", "seconds": "d", "start": "M8[ms]"})
    laps.append("Ada", 61.5, 1_700_000_000_000)
    laps.append("Grace", 60.25, 1_700_000_000_100)

    # Polars reads numbers and times where they are. Of texts it makes its own kind.
    frame = pl.DataFrame(laps)
    seconds = frame["seconds"].to_numpy(allow_copy=False)
    assert np.shares_memory(seconds, np.asarray(laps["seconds"]))
    fastest = frame.sort("seconds").row(0)
    assert fastest[0] == "Grace"

    # The table grows on; the frame shows the rows that there were.
    laps.append("Ada", 59.75, 1_700_000_061_500)
    assert (len(frame), len(laps)) == (2, 3)

    # pandas goes through pyarrow, and copies.
    copied = pa.table(laps).to_pandas()
    assert copied["seconds"].tolist() == [61.5, 60.25, 59.75]
    assert isinstance(copied["start"].iloc[0], pd.Timestamp)

    # A Series of pandas over one column of numbers takes no copy.
    series = pd.Series(laps["seconds"], copy=False)
    assert np.shares_memory(series.to_numpy(), np.asarray(laps["seconds"]))

    # Whatever has Arrow data can be added.
    laps.extend(frame.filter(pl.col("driver") == "Ada"))
    laps.extend(copied)
    assert len(laps) == 7
    assert laps[3] == ("Ada", 61.5, 1_700_000_000_000)
    print(f"{len(laps)} laps of {len(set(laps['driver']))} drivers")


main()
