"""The memory that the system reports."""

from vmem import _vmem
from vmem._first_use import import_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from vmem._types import MemoryInfo


def memory_info() -> "MemoryInfo":
    """Report the physical memory that this process can use.

    Returns
    -------
    MemoryInfo
        `total` and `available`, in bytes. In a container, or where another cgroup limits memory below what the machine
        has, these are the cgroup's.

    Examples
    --------
    >>> import vmem
    >>> info = vmem.memory_info()
    >>> 0 < info.available <= info.total
    True
    """
    info: MemoryInfo = import_types().MemoryInfo(*_vmem.get_memory_info())
    return info
