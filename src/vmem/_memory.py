"""What the system says about its memory."""

from vmem import _vmem
from vmem._types import MemoryInfo


def memory_info() -> MemoryInfo:
    """How much memory there is for this process.

    Returns
    -------
    MemoryInfo
        `total` and `available`, in bytes. Containers and other control groups are heeded: where this process may have
        less than the machine, it is what this process may have.

    Examples
    --------
    >>> import vmem
    >>> info = vmem.memory_info()
    >>> 0 < info.available <= info.total
    True
    """
    return MemoryInfo(*_vmem.get_memory_info())
