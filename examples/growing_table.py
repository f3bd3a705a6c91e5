"""A table that is recorded row by row while arrays over its columns are in use."""

import numpy as np

import vmem


def main() -> None:
    # A column for each name, with the type of its items.
    trades = vmem.Table(
        {"time": "M8[ms]", "price": "d", "amount": "i", "buyer": "str|None"}
    )
    trades.append(1_700_000_000_000, 99.5, 10, "Ada")
    trades.append(time=1_700_000_000_250, price=99.75, amount=5, buyer=None)

    # Rows are tuples with names.
    assert trades[-1] == (1_700_000_000_250, 99.75, 5, None)
    assert trades[0].buyer == "Ada"

    # Many rows at once: a buffer or an iterable for each column.
    count = 1_000_000
    steps = np.arange(count)
    trades.extend(
        {
            "time": 1_700_000_001_000 + steps,
            "price": 100 + np.sin(steps / 1000),
            "amount": np.ones(count, dtype=np.int32),
            "buyer": [None] * count,
        }
    )
    assert len(trades) == 1_000_002

    # Arrays over columns are not copies, and stay valid while the table grows.
    prices = np.asarray(trades["price"])
    trades.append(1_700_001_001_000, 0.5, 1, "Grace")
    assert len(prices) == 1_000_002
    assert np.shares_memory(prices, np.asarray(trades["price"]))

    # A row is added as a whole, or not at all.
    try:
        trades.append(1_700_001_002_000, 0.5, "one", "Grace")
    except TypeError as error:
        print("refused:", error.__notes__[0])
    assert len(trades) == 1_000_003
    assert {len(trades[name]) for name in trades.names} == {1_000_003}

    # The newest rows, all columns of one length.
    newest = trades[-3:]
    assert newest["price"].tolist() == [*prices[-2:].tolist(), 0.5]


main()
