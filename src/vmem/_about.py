"""Facts about the package itself: its version, and the folders of its headers and of its files for build tools."""

import os

__version__ = "0.1.0"  # the only place; the build reads it from here


def get_include() -> str:
    """Return the folder that holds ``vmem.h``, ``vmem_arena.h`` and ``vmem_python.h``, for a C compiler's ``-I``.

    Returns
    -------
    str
        An absolute path.

    Examples
    --------
    >>> import os, vmem
    >>> os.path.exists(os.path.join(vmem.get_include(), "vmem.h"))
    True
    """
    return find_folder("include")


def find_folder(*parts: str) -> str:
    """The path of a folder of this package."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), *parts)
