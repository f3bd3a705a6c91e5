"""The enum and the records of the public interface. Imported on first use: `import vmem` alone loads no enum.

To type checkers the fields of a record are a typing.NamedTuple. At run time they are a collections.namedtuple, because
typing takes longer to import than everything else here.
"""

import sys
from collections import namedtuple
from enum import IntEnum


class Protection(IntEnum):
    """The access that committed memory allows.

    Fresh committed memory has ``READ_WRITE``. Memory that is only reserved has ``NO_ACCESS``.

    Examples
    --------
    >>> import vmem
    >>> with vmem.reserve(1) as region:
    ...     region.ranges()[0].protection
    <Protection.NO_ACCESS: 0>
    """

    __module__ = "vmem"

    NO_ACCESS = 0
    READ = 1
    READ_WRITE = 2
    EXECUTE = 3
    READ_EXECUTE = 4
    READ_WRITE_EXECUTE = 5


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class RangeFields(NamedTuple):
        offset: int
        num_bytes: int
        committed: bool
        protection: Protection

    class InfoFields(NamedTuple):
        total: int
        available: int

    class PartFields(NamedTuple):
        offset: int
        num_bytes: int
        committed: bool
        protection: Protection
        locked: bool
        resident: int | None
        num_views: int

    class MapFields(NamedTuple):
        kind: str
        name: str | None
        address: int
        size: int
        page_size: int
        used: int | None
        num_views: int
        pinned: tuple[tuple[int, int], ...]
        parts: tuple["MemoryPart", ...]

else:
    RangeFields = namedtuple("RangeFields", "offset num_bytes committed protection")
    InfoFields = namedtuple("InfoFields", "total available")
    PartFields = namedtuple("PartFields", "offset num_bytes committed protection locked resident num_views")
    MapFields = namedtuple("MapFields", "kind name address size page_size used num_views pinned parts")


class Range(RangeFields):
    """A run of pages with equal properties: one item of `Region.ranges()`.

    Attributes
    ----------
    offset : int
        Its start, in bytes from the start of the region.
    num_bytes : int
        Its size in bytes.
    committed : bool
        Whether it is committed, or only reserved.
    protection : Protection
        The access that it allows.

    Examples
    --------
    >>> import vmem
    >>> with vmem.reserve(1) as region:
    ...     region.commit()
    ...     region.ranges()[0].committed
    True
    """

    __module__ = "vmem"
    __slots__ = ()


class MemoryInfo(InfoFields):
    """The memory that this process can use, as `memory_info()` returns it. In bytes.

    Attributes
    ----------
    total : int
        The machine's physical memory, or the cgroup limit if that is lower. 0 if the system does not report it.
    available : int
        How much of it can be allocated now without swapping. 0 if the system does not report it.

    Examples
    --------
    >>> import vmem
    >>> vmem.memory_info()._fields
    ('total', 'available')
    """

    __module__ = "vmem"
    __slots__ = ()


class MemoryPart(PartFields):
    """A run of pages with equal properties: one item of `MemoryMap.parts`.

    Attributes
    ----------
    offset : int
        Its start, in bytes from the start of the reserved addresses.
    num_bytes : int
        Its size in bytes.
    committed : bool
        Whether it is committed, or only reserved.
    protection : Protection
        The access that it allows.
    locked : bool
        Whether it is locked in physical memory, so that it is never swapped out.
    resident : int or None
        How many bytes of it are in physical memory. None if the system does not report it.
    num_views : int
        How many views have bytes in it.

    Examples
    --------
    >>> import vmem
    >>> with vmem.reserve(1 << 30) as region:
    ...     region.commit(0, 1 << 20)
    ...     region.prefault(0, 1 << 16)
    ...     [(each.num_bytes, each.resident) for each in region.map().parts]
    [(65536, 65536), (983040, 0), (1072693248, 0)]
    """

    __module__ = "vmem"
    __slots__ = ()


class MapData(MapFields):
    """The fields of a MemoryMap, and the totals of its parts: all that drawing needs."""

    __slots__ = ()

    @property
    def committed(self) -> int:
        return sum(part.num_bytes for part in self.parts if part.committed)

    @property
    def resident(self) -> int | None:
        counts = [part.resident for part in self.parts if part.resident is not None]
        return sum(counts) if len(counts) == len(self.parts) else None

    @property
    def locked(self) -> int:
        return sum(part.num_bytes for part in self.parts if part.locked)


# Another import of this module may have been complete before this one, and its classes are in use: see `_first_use`.
_classes = {each.__name__: each for each in (Protection, Range, MemoryInfo, MemoryPart, MapData)}
globals().update(vars(sys.modules["vmem"]).setdefault("_classes_in_use", _classes))
is_complete = True
