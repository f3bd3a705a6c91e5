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

Start with help(vmem.reserve), help(vmem.Region), help(vmem.Array), help(vmem.Table) and help(vmem.Arena). Sizes and
offsets are in bytes. Ranges are half-open and default to everything (``offset=0, num_bytes=None``). Memory is committed
and decommitted by whole pages: a range covers every page that holds one or more of its bytes. Every integer argument
takes any object with ``__index__``.
"""

# How the package is laid out, from the bottom:
#   _vmem           the extension
#   _broken         what to say when the extension cannot be imported
#   _format         numbers as text
#   _types          Protection and the records; imported on first use
#   _first_use      imports _types and _map
#   _about          the version, and the folders of the headers and of the files for build tools
#   _arguments      checks of arguments
#   _memory         memory_info
#   _region         Region, reserve and attach
#   _files          FileArray and open_array; imported on first use
#   _sharing        what multiprocessing does with shared objects; imported when the first one is made
#   _rows           Row; imported when the first row of a table is made
#   _drawing/       maps as text and as pictures
#   _map            MemoryMap; imported when map() is called first
#   _bench/         what one gains by vmem, measured
#   _command, _report, _demo*, __main__    the command line

import os
from _collections_abc import MutableSequence  # collections.abc, by the name that startup has loaded

try:
    from vmem._vmem import _C_API as _C_API  # other extensions look for it here
except ImportError as _error:
    from vmem._broken import explain

    raise ImportError(explain(_error), name="vmem._vmem") from _error

from vmem import _vmem
from vmem._about import __version__, get_include
from vmem._first_use import import_map as _import_map
from vmem._first_use import import_types as _import_types
from vmem._memory import memory_info
from vmem._region import Region, attach, reserve
from vmem._vmem import (
    Arena,
    Array,
    Column,
    OutOfMemoryError,
    Ring,
    Rows,
    Table,
    _make_fork_handler,
    align_backward,
    align_forward,
    get_allocation_granularity,
    get_huge_page_size,
    get_page_size,
    is_aligned,
    set_map_maker,
    set_row_type_maker,
    set_sharing_hook,
)

# Users, tracebacks, help() and pickles find them here.
for _public in (Region, attach, get_include, memory_info, reserve):
    _public.__module__ = __name__
del _public

MutableSequence.register(Array)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
del MutableSequence

__all__ = [
    "Arena",
    "Array",
    "Column",
    "FileArray",
    "MemoryInfo",
    "MemoryMap",
    "MemoryPart",
    "OutOfMemoryError",
    "Protection",
    "Range",
    "Region",
    "Ring",
    "Row",
    "Rows",
    "Table",
    "__version__",
    "align_backward",
    "align_forward",
    "attach",
    "get_allocation_granularity",
    "get_huge_page_size",
    "get_include",
    "get_page_size",
    "is_aligned",
    "memory_info",
    "open_array",
    "reserve",
]

# --- imported on first use, because enum and collections take longer to import than all of vmem ---

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vmem._files import FileArray, open_array
    from vmem._map import MemoryMap
    from vmem._rows import Row
    from vmem._types import MemoryInfo, MemoryPart, Protection, Range
else:

    def __getattr__(name):
        if name in ("MemoryInfo", "MemoryPart", "Protection", "Range"):
            module = _import_types()
        elif name == "MemoryMap":
            module = _import_map()
        elif name in ("FileArray", "open_array"):
            from vmem import _files as module
        elif name == "Row":
            from vmem import _rows as module
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(module, name))


del TYPE_CHECKING


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("_") and name not in __all__)]


def _make_map(*facts: "Any") -> "MemoryMap":
    made: MemoryMap = _import_map().make_map(*facts)
    return made


set_map_maker(_make_map)
del set_map_maker


def _make_row_type(names: tuple[str, ...]) -> "type[Row]":
    from vmem._rows import make_row_type

    return make_row_type(names)


set_row_type_maker(_make_row_type)
del set_row_type_maker


def _prepare_sharing(shared_type: type) -> None:
    from vmem._sharing import prepare

    prepare(shared_type, _vmem)


set_sharing_hook(_prepare_sharing)
del set_sharing_hook

# Now, not with the first shared object: in a forked child, what is registered first runs first.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_make_fork_handler())
del os, _make_fork_handler
