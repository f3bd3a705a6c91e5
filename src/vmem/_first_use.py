"""Imports Protection and the records on first use."""

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
