"""The enums and records of the public interface."""

from __future__ import annotations

from collections import namedtuple
from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple


class Protection(IntEnum):
    """What may be done with committed memory.

    Memory that is only reserved has ``NO_ACCESS``, fresh committed memory ``READ_WRITE``.

    Examples
    --------
    >>> import vmem
    >>> with vmem.reserve(1) as region:
    ...     region.ranges()[0].protection
    <Protection.NO_ACCESS: 0>
    """

    NO_ACCESS = 0
    READ = 1
    READ_WRITE = 2
    EXECUTE = 3
    READ_EXECUTE = 4
    READ_WRITE_EXECUTE = 5


if TYPE_CHECKING:

    class Range(NamedTuple):
        offset: int
        num_bytes: int
        committed: bool
        protection: Protection

    class MemoryInfo(NamedTuple):
        total: int
        available: int

else:
    # Importing typing would double the time that importing vmem takes.
    Range = namedtuple("Range", ["offset", "num_bytes", "committed", "protection"], module="vmem")  # noqa: PYI024
    Range.__doc__ = """A run of pages with equal properties: one item of `Region.ranges()`.

    Attributes
    ----------
    offset : int
        Where it begins, in bytes from the start of the region.
    num_bytes : int
        Its size in bytes.
    committed : bool
        Whether it is committed, or only reserved.
    protection : Protection
        What may be done with it.

    Examples
    --------
    >>> import vmem
    >>> with vmem.reserve(1) as region:
    ...     region.commit()
    ...     region.ranges()[0].committed
    True
    """

    MemoryInfo = namedtuple("MemoryInfo", ["total", "available"], module="vmem")  # noqa: PYI024
    MemoryInfo.__doc__ = """How much memory there is: what `memory_info()` returns. In bytes.

    Attributes
    ----------
    total : int
        The machine's physical memory, or what a container or another control group has of it. 0 if the system does not
        tell.
    available : int
        What can be had of it now without swapping. 0 if the system does not tell.

    Examples
    --------
    >>> import vmem
    >>> vmem.memory_info()._fields
    ('total', 'available')
    """
