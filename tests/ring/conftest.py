"""Systems that cannot map memory twice have no rings, and say so."""

from __future__ import annotations

import pytest

import vmem


@pytest.fixture(autouse=True)
def _has_rings() -> None:
    try:
        vmem.Ring("B", 1)
    except NotImplementedError as error:
        pytest.skip(str(error))
