"""What `multiprocessing` does with shared objects. Imported when the first one is made, as `multiprocessing` is."""

import os
import sys

from vmem import _vmem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECTION_QUERY = 1
SECTION_MAP_WRITE = 2
SECTION_MAP_READ = 4

# The types that multiprocessing knows by now, and whether forks are noticed.
_prepared: set[type] = set()
_notices_forks = False


def prepare(shared_type: type | None) -> None:
    """Make shared instances of a type sendable, and notice forks; with None only the latter."""
    global _notices_forks
    if not _notices_forks:
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_vmem._change_in_child)
        _notices_forks = True
    if shared_type is not None and shared_type not in _prepared:
        register(shared_type)
        _prepared.add(shared_type)


def register(shared_type: type) -> None:
    """Tell multiprocessing, which looks for the exact type, how it sends instances. It may be missing."""
    try:
        from multiprocessing import reduction
    except ImportError:
        return
    reduction.register(shared_type, reduce)


def reduce(shared: "Any") -> "str | tuple[Any, ...]":
    """What a message says of an instance: for a shared one, how to get its descriptor."""
    if not shared._is_shared:
        usual: str | tuple[Any, ...] = shared.__reduce_ex__(4)
        return usual
    return (
        rebuild,
        (type(shared), duplicate(shared._get_handle(), writable=isinstance(shared, _vmem.Region))),
        shared.__getstate__(),
    )


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
        return _vmem.attach(handle, (shared_type,))
    finally:
        close(handle)


def close(handle: int) -> None:
    if sys.platform == "win32":
        import _winapi

        _winapi.CloseHandle(handle)
    else:
        os.close(handle)
