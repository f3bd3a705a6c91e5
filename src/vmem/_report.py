"""Facts about this machine and this process, as ``python -m vmem`` prints them."""

from __future__ import annotations

import platform

from vmem import _vmem
from vmem._about import __version__
from vmem._format import format_bytes
from vmem._memory import memory_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def collect_facts() -> dict[str, object]:
    """The object that ``python -m vmem --json`` prints. Sizes are in bytes; None means no limit, or unknown."""
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
    """A size, or `otherwise` if there is none."""
    return format_bytes(num_bytes) if num_bytes else otherwise


def describe_limit(limit: int | None, used: int, describe: Callable[[int], str] = format_bytes) -> str:
    """A limit, with how much of it is in use if the system reports that."""
    return (describe(limit) if limit else "no limit") + (f", {describe(used)} in use" if used else "")


def describe_facts() -> Iterator[tuple[str, str]]:
    """The rows that ``python -m vmem`` prints: labels and values."""
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
