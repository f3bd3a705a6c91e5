"""Imports Protection, the records and MemoryMap on first use."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def import_types() -> "ModuleType":
    """Returns the module `_types`, complete.

    A signal handler, an audit hook or a finalizer can run in the middle of another import of it, in the same thread. It
    then imports a copy of its own. The classes are those of the copy that was complete first: see the end of `_types`.
    Raises ImportError in the middle of the import of enum or collections themselves.
    """
    from vmem import _types

    if not hasattr(_types, "is_complete"):
        del sys.modules["vmem._types"]
        from vmem import _types
    return _types


def import_map() -> "ModuleType":
    """Returns the module `_map`, complete. What holds for `_types` holds for it, too: see the end of `_map`."""
    import_types()  # `_map` imports names from it, and must not find it in the middle of its import
    from vmem import _map

    if not hasattr(_map, "is_complete"):
        del sys.modules["vmem._map"]
        from vmem import _map
    return _map
