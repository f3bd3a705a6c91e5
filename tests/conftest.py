from __future__ import annotations

from collections.abc import Iterator

import pytest

import vmem


@pytest.fixture
def page() -> int:
    return vmem.get_page_size()


@pytest.fixture
def region(page: int) -> Iterator[vmem.Region]:
    """64 pages of addresses, nothing committed."""
    region = vmem.reserve(64 * page)
    yield region
    region._abandon()
