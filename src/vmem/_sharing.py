"""What `multiprocessing` does with shared objects. Imported when the first one is made, as `multiprocessing` is."""

import copyreg
import os
import sys
from io import BytesIO

from vmem import _vmem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

SECTION_QUERY = 1
SECTION_MAP_WRITE = 2
SECTION_MAP_READ = 4

# The types that multiprocessing knows by now, with the module in C that they come from. A second import of vmem has a
# second one, with types of its own.
_origins: "dict[type, ModuleType]" = {}

# How others have told multiprocessing to send instances of them.
_known_reducers: "dict[type, Callable[[Any], str | tuple[Any, ...]]]" = {}


def prepare(shared_type: type, origin: "ModuleType") -> None:
    """Make shared instances of a type sendable."""
    if shared_type not in _origins:
        register(shared_type)
        _origins[shared_type] = origin


def find_origin(shared_type: type) -> "Any":
    """The module in C that the type comes from. A process that receives one of it first has imported vmem once."""
    return _origins.get(shared_type, sys.modules[_vmem.__name__])


def register(shared_type: type) -> None:
    """Tell multiprocessing, which looks for the exact type, how it sends instances. It may be missing."""
    try:
        from multiprocessing import reduction
    except ImportError:
        return
    known = reduction.ForkingPickler(BytesIO()).dispatch_table.get(shared_type)
    if known and known is not copyreg.dispatch_table.get(shared_type):
        _known_reducers[shared_type] = known
    reduction.register(shared_type, reduce)


def reduce(shared: "Any") -> "str | tuple[Any, ...]":
    """What a message says of an instance: for a shared one, how to get its descriptor."""
    if not shared._is_shared:
        return reduce_private(shared)
    state = shared.__getstate__()  # it can raise, and a duplicate that is never sent stays open
    shared_type = find_type(shared)
    is_region = isinstance(shared, find_origin(shared_type).Region)
    return rebuild, (shared_type, duplicate(shared._get_handle(), writable=is_region)), state


def find_type(instance: object) -> type:
    return type(instance)


def reduce_private(private: "Any") -> "str | tuple[Any, ...]":
    """The same for a private one, as if its type were not registered here."""
    private_type = find_type(private)
    reducer = _known_reducers.get(private_type) or copyreg.dispatch_table.get(private_type)
    reduced: str | tuple[Any, ...] = reducer(private) if reducer else private.__reduce_ex__(4)
    return reduced


def duplicate(handle: int, writable: bool) -> "Any":
    """A descriptor or handle that can be sent. The receiver gets it from this process, which must live until then."""
    from multiprocessing import reduction

    if sys.platform == "win32":
        return reduction.DupHandle(handle, SECTION_QUERY | SECTION_MAP_READ | (SECTION_MAP_WRITE if writable else 0))
    return reduction.DupFd(handle)


def rebuild(shared_type: type, duplicated: "Any") -> object:
    """In the receiver: an instance over the memory whose descriptor was sent."""
    handle = duplicated.detach()
    try:
        return find_origin(shared_type).attach(handle, (shared_type,))
    finally:
        close(handle)


def close(handle: int) -> None:
    if sys.platform == "win32":
        import _winapi

        _winapi.CloseHandle(handle)
    else:
        os.close(handle)
