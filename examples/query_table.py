"""SQL over a table that grows: DuckDB reads it where it is."""

import duckdb
import numpy as np

import vmem


def main() -> None:
    telemetry = vmem.Table({"lap": "i", "speed": "d", "note": "str|None"})
    query = """
        select lap, count(*) as samples, max(speed) as fastest, count(note) as notes
        from telemetry group by lap order by lap
    """
    for lap in range(1, 4):
        telemetry.extend(
            [
                np.full(1000, lap, dtype=np.int32),
                np.linspace(0, 100 + lap, 1000),
                [None] * 999 + ["finish"],
            ]
        )
        found = duckdb.sql(query).fetchall()  # DuckDB finds the variable by its name
        assert found == [(each, 1000, 100.0 + each, 1) for each in range(1, lap + 1)]
    print(duckdb.sql(query))

    # Results come back as Arrow data.
    summary = vmem.Table({"lap": "i", "samples": "q", "fastest": "d", "notes": "q"})
    summary.extend(duckdb.sql(query).to_arrow_table())
    assert summary[-1] == (3, 1000, 103.0, 1)


main()
