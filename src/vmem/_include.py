"""Where the C header is."""

import os


def get_include() -> str:
    """The folder that holds ``vmem.h``, for a C compiler's ``-I``.

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
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")
