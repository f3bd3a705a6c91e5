"""What ``python -m vmem`` tells about this machine and this process."""

from __future__ import annotations

import platform

from vmem import _vmem
from vmem._about import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def format_bytes(num_bytes: float) -> str:
    """A size as people read it: ``1.5 GiB``. Whole numbers of a unit lose no digits."""
    size, unit = float(num_bytes), 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if size == int(size) else f"{size:.1f} {UNITS[unit]}"


def collect_facts() -> dict[str, object]:
    """Everything ``python -m vmem --json`` prints. Sizes are in bytes, None stands for no limit."""
    total, available = _vmem.get_memory_info()
    return {
        "version": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "page_size": _vmem.get_page_size(),
        "allocation_granularity": _vmem.get_allocation_granularity(),
        "huge_page_size": _vmem.get_huge_page_size(),
        "memory_total": total or None,
        "memory_available": available or None,
        "limits": _vmem.get_limits(),
    }


def describe_limit(limit: int | None, used: int | None) -> str:
    """A limit on bytes with how much of it is in use."""
    text = "no limit" if limit is None else format_bytes(limit)
    return text if not used else f"{text}, {format_bytes(used)} in use"


def describe_known(num_bytes: int | None) -> str:
    """A size, or that the system does not tell it."""
    return format_bytes(num_bytes) if num_bytes else "unknown"


def describe_facts() -> Iterator[tuple[str, str]]:
    """The rows that ``python -m vmem`` prints: a label and what there is to say."""
    total, available = _vmem.get_memory_info()
    limits = _vmem.get_limits()
    mappings = "no limit" if limits["mapping_limit"] is None else f"{limits['mapping_limit']}"
    huge_page_size = _vmem.get_huge_page_size()
    yield "vmem", f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield "page size", format_bytes(_vmem.get_page_size())
    yield "allocation granularity", format_bytes(_vmem.get_allocation_granularity())
    yield "huge page size", format_bytes(huge_page_size) if huge_page_size else "none"
    yield "memory", f"{describe_known(total)}, {describe_known(available)} available"
    yield "address space limit", describe_limit(limits["address_space_limit"], limits["address_space_used"])
    yield "data limit", describe_limit(limits["data_limit"], limits["data_used"])
    yield "commit limit", describe_limit(limits["commit_limit"], limits["commit_used"])
    yield "largest single commit", describe_limit(limits["largest_commit"], None)
    yield "mapping limit", f"{mappings}, {limits['mapping_used']} in use" if limits["mapping_used"] else mappings
