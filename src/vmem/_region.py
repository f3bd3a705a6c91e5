"""`Region` and the function that makes one."""

from __future__ import annotations

from vmem import _vmem
from vmem._arguments import to_range
from vmem._types import Protection, Range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import NoReturn, Self, SupportsIndex


def reserve(num_bytes: SupportsIndex, *, alignment: SupportsIndex | None = None, name: str | None = None) -> Region:
    """Reserve a range of addresses, without committing any memory to it.

    Reserving takes microseconds and no memory, whatever the size. The addresses stay the region's own until it is
    released.

    Parameters
    ----------
    num_bytes : int
        How many bytes to reserve, at least 1; rounded up to whole pages.
    alignment : int, optional
        A power of two, in bytes: the region then begins at a multiple of it. By default it begins at a multiple of
        `get_allocation_granularity()`.
    name : str, optional
        Shown by `repr`.

    Returns
    -------
    Region

    Raises
    ------
    OutOfMemoryError
        The process has no such range of addresses, or may not have it; the message says which limit was hit.
    TypeError, ValueError
        A wrong argument.

    Examples
    --------
    >>> import vmem
    >>> with vmem.reserve(1 << 40, alignment=1 << 21) as region:
    ...     len(region), region.committed, vmem.is_aligned(region.address, 1 << 21)
    (1099511627776, 0, True)
    """
    # The extension checks these. Calling the class would go through type.__call__() and cost as much again.
    return _vmem.reserve(Region, num_bytes, alignment, name)


class Region(_vmem.Region):
    r"""A range of addresses that never moves, of which any part can be committed and decommitted.

    `reserve` makes one, and so does calling the class, with the same arguments. Its committed bytes are reached as
    items (``region[i]`` is an int), as slices (``region[a:b]`` is a writable memoryview, never a copy;
    ``region[a:b] = data`` copies in) and with `view`. A view pins the pages that hold its bytes: as long as it lives,
    they cannot be decommitted and the region cannot be released. A slice with a step pins all from its first byte to
    its last, and these must be committed. A region itself is no buffer: pass ``region[a:b]`` to NumPy and others.

    At the end of a ``with`` block the region is released. Live views are a BufferError then; but when the block raised,
    that error is kept, the region can no longer be used, and its memory goes with the last view.

    Parameters
    ----------
    num_bytes : int
        How many bytes to reserve, at least 1; rounded up to whole pages.
    alignment : int, optional
        A power of two, in bytes: the region then begins at a multiple of it.
    name : str, optional
        Shown by `repr`.

    Attributes
    ----------
    address : int
        Where the region begins. ValueError once released.
    size : int
        How many bytes are reserved: what was asked, rounded up to whole pages. ``len(region)`` is the
        same, but raises ValueError once released.
    committed : int
        How many of them are committed; 0 once released.
    page_size : int
        The size of a page in bytes: the unit of committing.
    name : str or None
        The name given when it was made.
    released : bool
        Whether it was released.

    Examples
    --------
    >>> import vmem
    >>> region = vmem.reserve(1 << 30)
    >>> region.commit(0, 1000)
    >>> region[0:3] = b"abc"
    >>> region[1], bytes(region[0:4])
    (98, b'abc\x00')
    >>> region.release()
    """

    __slots__ = ()

    def __new__(
        cls, num_bytes: SupportsIndex, *, alignment: SupportsIndex | None = None, name: str | None = None
    ) -> Self:
        return super().__new__(cls, num_bytes, alignment, name)

    def commit(self, offset: SupportsIndex = 0, num_bytes: SupportsIndex | None = None) -> None:
        """Commit the pages that hold one or more bytes of a range: they become usable, and read zero.

        Pages that are committed already keep their contents. Live views stay valid.

        Parameters
        ----------
        offset : int, default 0
            Where the range begins, in bytes from the start of the region.
        num_bytes : int, optional
            How many bytes it covers. By default everything up to the end of the region. 0 commits nothing.

        Raises
        ------
        OutOfMemoryError
            The system refused; the message says which limit was hit. Nothing has changed then.
        ValueError
            The range is not in the region, or the region is released.

        Examples
        --------
        >>> import vmem
        >>> with vmem.reserve(1 << 30) as region:
        ...     region.commit(region.page_size - 1, 2)      # two bytes, on two pages
        ...     region.committed == 2 * region.page_size
        True
        """
        _vmem.Region.commit(self, *to_range(self, offset, num_bytes))

    def decommit(self, offset: SupportsIndex = 0, num_bytes: SupportsIndex | None = None) -> None:
        """Decommit the pages that hold one or more bytes of a range: the memory goes back to the system.

        The contents of whole pages are lost, also of those bytes on the first and last page that are outside the
        range. Pages that are not committed stay so. To use decommitted pages again, commit them; they read zero then.

        Parameters
        ----------
        offset : int, default 0
            Where the range begins, in bytes from the start of the region.
        num_bytes : int, optional
            How many bytes it covers. By default everything up to the end of the region. 0 decommits nothing.

        Raises
        ------
        BufferError
            Views of bytes on these pages are alive. Nothing has changed then.
        OutOfMemoryError
            Too many mappings would be needed. Nothing has changed then.
        ValueError
            The range is not in the region, or the region is released.

        Examples
        --------
        >>> import vmem
        >>> with vmem.reserve(1 << 30) as region:
        ...     region.commit(0, 8 * region.page_size)
        ...     region.decommit(region.page_size)           # all but the first page
        ...     region.committed == region.page_size
        True
        """
        _vmem.Region.decommit(self, *to_range(self, offset, num_bytes))

    def resident(self, offset: SupportsIndex = 0, num_bytes: SupportsIndex | None = None) -> int:
        """How many bytes of a range are in physical memory, by the pages that hold them.

        Committed pages get physical memory when they are first touched.

        Parameters
        ----------
        offset : int, default 0
            Where the range begins, in bytes from the start of the region.
        num_bytes : int, optional
            How many bytes it covers. By default everything up to the end of the region.

        Returns
        -------
        int
            Bytes, a multiple of the page size.

        Raises
        ------
        NotImplementedError
            This system does not tell (OpenBSD).
        ValueError
            The range is not in the region, or the region is released.

        Examples
        --------
        >>> import vmem
        >>> with vmem.reserve(1 << 30) as region:
        ...     region.commit(0, 1 << 20)
        ...     region[5] = 1
        ...     region.resident() >= region.page_size
        True
        """
        return _vmem.Region.resident(self, *to_range(self, offset, num_bytes))

    def ranges(self) -> list[Range]:
        """All of the region, in order, as runs of pages with equal properties.

        Returns
        -------
        list of Range
            They follow each other without a gap, from offset 0 to the end, and neighbours differ.

        Raises
        ------
        ValueError
            The region is released.

        Examples
        --------
        >>> import vmem
        >>> with vmem.reserve(1 << 30) as region:
        ...     region.commit(0, region.page_size)
        ...     [(each.num_bytes == region.page_size, each.committed) for each in region.ranges()]
        [(True, True), (False, False)]
        """
        return [
            Range(offset, num_bytes, committed, Protection(protection))
            for offset, num_bytes, committed, protection in super().ranges()
        ]

    def __enter__(self) -> Self:
        _vmem.Region.__len__(self)  # says so when it is released
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.release()
        else:  # a BufferError about a view must not hide what went wrong; the memory goes with the last view
            self._abandon()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object, nor copy it: its memory stays where it is")

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        if self.released:
            return f"<{type(self).__module__}.{type(self).__name__}{name}: {self.size} bytes, released>"
        return (
            f"<{type(self).__module__}.{type(self).__name__}{name} at {self.address:#x}: "
            f"{self.size} bytes, {self.committed} committed>"
        )
