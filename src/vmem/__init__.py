"""Virtual memory: reserve terabytes of addresses, commit only the bytes you use, never move them.

    >>> import vmem
    >>> with vmem.reserve(1 << 40) as region:       # 1 TiB of addresses, no memory yet
    ...     region.commit(0, 100)                   # the first page is usable, and zero
    ...     region[0:5] = b"hello"
    ...     early = region[0:5]                     # a memoryview, not a copy
    ...     region.commit(0, 1 << 20)               # grows; the view has not moved
    ...     print(bytes(early))
    ...     early.release()
    b'hello'

Start with help(vmem.reserve), help(vmem.Region), help(vmem.Array) and help(vmem.Arena). Sizes and offsets are in bytes.
Ranges are half-open and default to everything (``offset=0, num_bytes=None``). Memory is committed and decommitted by
whole pages: a range covers every page that holds one or more of its bytes. Every integer argument takes any object with
``__index__``.
"""

# Where things are: _region has Region and reserve, _types the enums and records, _arguments the checks, _memory what
# the system says about its memory, _map what `map()` returns and _drawing how that looks, _about the version, _report
# what `python -m vmem` prints, _demo what `python -m vmem demo` does, _command what commands share. _benchmarks, which
# `python -m vmem bench` runs, is benchmarks/ of the checkout. _vmem is the extension.

from _collections_abc import MutableSequence  # collections.abc by its own name, which every interpreter has imported

from vmem._about import __version__, get_include
from vmem._memory import memory_info
from vmem._region import Region, reserve
from vmem._types import MemoryInfo, Protection, Range
from vmem._vmem import _C_API as _C_API  # other extensions look for it here
from vmem._vmem import (
    Arena,
    Array,
    OutOfMemoryError,
    align_backward,
    align_forward,
    get_allocation_granularity,
    get_huge_page_size,
    get_page_size,
    is_aligned,
    set_map_maker,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vmem._map import MemoryMap, MemoryPart
del TYPE_CHECKING

# They are to be known, in tracebacks, help() and pickles, by where users find them.
for _public in (Protection, Region, get_include, memory_info, reserve):
    _public.__module__ = __name__
del _public

MutableSequence.register(Array)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
del MutableSequence

__all__ = [
    "Arena",
    "Array",
    "MemoryInfo",
    "MemoryMap",
    "MemoryPart",
    "OutOfMemoryError",
    "Protection",
    "Range",
    "Region",
    "__version__",
    "align_backward",
    "align_forward",
    "get_allocation_granularity",
    "get_huge_page_size",
    "get_include",
    "get_page_size",
    "is_aligned",
    "memory_info",
    "reserve",
]

# Most programs never look at a map. What makes one would be a tenth of importing vmem, so it comes with the first.


def __getattr__(name: str) -> object:
    if name not in ("MemoryMap", "MemoryPart"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vmem import _map

    return getattr(_map, name)


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("_") and name not in __all__)]


def _make_map(*facts: "Any") -> "MemoryMap":
    from vmem._map import make_map

    return make_map(*facts)


set_map_maker(_make_map)
del set_map_maker
