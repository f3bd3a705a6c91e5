"""What ``python -m vmem`` tells about this machine and this process."""

from __future__ import annotations

import platform

from vmem import _vmem
from vmem._about import __version__
from vmem._memory import memory_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def format_bytes(num_bytes: float) -> str:
    """A size as people read it: ``1.5 GiB``. Whole numbers of a unit lose no digits."""
    size, unit = float(num_bytes), 0
    while size >= 1023.95 and unit < len(UNITS) - 1:  # what would be rounded to 1024.0 is 1.0 of the next
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if size == int(size) else f"{size:.1f} {UNITS[unit]}"


def collect_facts() -> dict[str, object]:
    """Everything ``python -m vmem --json`` prints. Sizes are in bytes, None stands for no limit."""
    total, available = memory_info()
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


def describe_size(num_bytes: int | None, otherwise: str) -> str:
    """A size, or what it means that there is none."""
    return format_bytes(num_bytes) if num_bytes else otherwise


def describe_limit(limit: int | None, used: int, describe: Callable[[int], str] = format_bytes) -> str:
    """A limit, with how much of it is in use where the system tells."""
    return (describe(limit) if limit else "no limit") + (f", {describe(used)} in use" if used else "")


def describe_facts() -> Iterator[tuple[str, str]]:
    """The rows that ``python -m vmem`` prints: a label and what there is to say."""
    total, available = memory_info()
    limits = _vmem.get_limits()
    yield "vmem", f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield "page size", format_bytes(_vmem.get_page_size())
    yield "allocation granularity", format_bytes(_vmem.get_allocation_granularity())
    yield "huge page size", describe_size(_vmem.get_huge_page_size(), "none")
    yield "memory", f"{describe_size(total, 'unknown')}, {describe_size(available, 'unknown')} available"
    yield "address space limit", describe_limit(limits["address_space_limit"], limits["address_space_used"])
    yield "data limit", describe_limit(limits["data_limit"], limits["data_used"])
    yield "commit limit (system)", describe_limit(limits["commit_limit"], limits["commit_used"])
    yield "largest single commit", describe_size(limits["largest_commit"], "no limit")
    yield "mapping limit", describe_limit(limits["mapping_limit"], limits["mapping_used"], str)
