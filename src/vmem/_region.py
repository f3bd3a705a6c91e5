"""`Region`; `reserve`, which makes one; and `attach`, which shows the shared memory of another process."""

from vmem import _vmem
from vmem._arguments import to_protection, to_range
from vmem._first_use import import_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Literal, NoReturn, Self, SupportsIndex

    from vmem._types import Range


def reserve(
    num_bytes: "SupportsIndex",
    *,
    alignment: "SupportsIndex | None" = None,
    huge_pages: bool = False,
    name: str | None = None,
    fork: "Literal['copy', 'none', 'zero']" = "copy",
    dump: bool = True,
    shared: bool = False,
) -> "Region":
    """Reserve a range of addresses, without committing any memory to it.

    Reserving takes microseconds and no memory, whatever the size. The addresses belong to the region until it is
    released.

    Parameters
    ----------
    num_bytes : int
        How many bytes to reserve, at least 1; rounded up to whole pages.
    alignment : int, optional
        A power of two, in bytes: the region then begins at a multiple of it. By default it begins at a multiple of
        `get_allocation_granularity()`.
    huge_pages : bool, default False
        Ask the system to back committed memory with huge pages where it can. A huge page must be committed as a whole:
        commit multiples of `get_huge_page_size()`. The region then also begins at such a multiple. Fewer, larger pages
        make the first touch of large memory several times faster and cause fewer TLB misses, but a single byte then
        takes a huge page.
    name : str, optional
        Shown by `repr`. Where the system supports it (Linux 5.17, if so configured), up to 79 ASCII characters of it
        are also shown beside committed memory in ``/proc/self/maps``. With `shared` the other processes have the same
        name: it is at most 255 bytes long in UTF-8, and contains no zero.
    fork : {'copy', 'none', 'zero'}, default 'copy'
        What a process that is forked gets of committed memory: its contents, as a copy; nothing, so that the region is
        released there; or memory that reads zero. The last two make forking cheaper, and keep secrets.
    dump : bool, default True
        Whether core dumps contain committed memory. False is for secrets. Memory that is only reserved is left out of
        them anyway, where the system can tell.
    shared : bool, default False
        Whether other processes can have the memory too: send the region through `multiprocessing`, or its descriptor
        (`Region.fileno`) to `attach`. Every process has a region of its own with the same contents, and all of them can
        write.

    Returns
    -------
    Region

    Raises
    ------
    OutOfMemoryError
        The process has no free range of addresses of this size, or has reached a limit; the message says which.
    OSError
        The system refused for another reason.
    NotImplementedError
        `huge_pages` on a system without huge pages for ordinary memory: `get_huge_page_size()` is 0 there. `fork`,
        `dump` or `shared` where the system cannot do that. `huge_pages`, or `fork` other than 'copy', together with
        `shared`: forked processes share shared memory.
    TypeError, ValueError
        An argument is wrong.

    Notes
    -----
    Raises an auditing event ``vmem.reserve`` with arguments ``num_bytes`` and ``name``.

    Examples
    --------
    >>> import vmem
    >>> with vmem.reserve(1 << 40, alignment=1 << 21) as region:
    ...     len(region), region.committed, vmem.is_aligned(region.address, 1 << 21)
    (1099511627776, 0, True)
    """
    # The extension checks the arguments. Region(...) would take twice as long, because it goes through type.__call__().
    return _vmem.reserve(Region, num_bytes, alignment, huge_pages, name, fork, dump, shared)


def attach(fd: "SupportsIndex") -> "Region | _vmem.Array[Any] | _vmem.Ring[Any] | _vmem.Table":
    """Show the shared memory of another process, whose descriptor this one has received.

    The other process has made it with ``shared=True``, and sent what `fileno` returns: with ``socket.send_fds``, for
    instance. Processes that `multiprocessing` has started need none of this: send them the object itself.

    Parameters
    ----------
    fd : int
        The file descriptor. It is duplicated: close it, if nothing else uses it.

    Returns
    -------
    Region, Array, Ring or Table
        What the other process has made, over the same memory. A region can be written, and nothing of it is committed
        in this process yet: `Region.commit` makes what the others have written accessible. An array or a table is
        read-only, and grows with that of the other process; a ring is read-only, and has what the other process writes.

    Raises
    ------
    OutOfMemoryError
        The process has no free range of addresses of this size, or has reached a limit; the message says which.
    OSError
        The descriptor is closed, or cannot write to the memory of a region.
    NotImplementedError
        This system has no shared memory.
    ValueError
        The descriptor is that of something else, or of memory that another version of vmem has made.

    Notes
    -----
    Raises an auditing event ``vmem.reserve`` with arguments ``num_bytes`` and ``name``, as `reserve` does.

    Examples
    --------
    >>> import vmem
    >>> with vmem.reserve(1 << 30, shared=True) as region:
    ...     region.commit(0, 5)
    ...     region[0:5] = b"hello"
    ...     with vmem.attach(region.fileno()) as other:     # usually in another process
    ...         other.commit(0, 5)
    ...         bytes(other[0:5])
    b'hello'
    """
    attached: Region | _vmem.Array[Any] | _vmem.Ring[Any] | _vmem.Table = _vmem.attach(
        fd, (Region, _vmem.Array, _vmem.Ring, _vmem.Table)
    )
    return attached


class Region(_vmem.Region):
    r"""A range of addresses that never moves, any part of which can be committed and decommitted.

    `reserve` makes one, and so does calling the class, with the same arguments. Committed bytes are accessed as items
    (``region[i]`` is an int), as slices (``region[a:b]`` is a memoryview, never a copy; ``region[a:b] = data`` copies
    in) and through `view`. A view pins the pages that hold its bytes: while it is alive, they cannot be decommitted or
    discarded and the region cannot be released. A slice with a step pins everything from its first byte to its last,
    all of which must be committed. A region itself is not a buffer: pass ``region[a:b]`` to NumPy and others.

    Any number of threads may use a region. Long calls let other threads run and can be interrupted with Ctrl-C. A call
    that meets pages on which another one is at work raises BufferError; it never deadlocks.

    At the end of a ``with`` block the region is released. If views are alive then, that raises BufferError. If the
    block raised an exception, that exception propagates instead: the region can no longer be used, and its memory is
    released with the last view.

    Parameters
    ----------
    num_bytes : int
        How many bytes to reserve, at least 1; rounded up to whole pages.
    alignment : int, optional
        A power of two, in bytes: the region then begins at a multiple of it.
    huge_pages : bool, default False
        Ask the system to back committed memory with huge pages where it can.
    name : str, optional
        Shown by `repr`, and by some systems beside the memory.
    fork : {'copy', 'none', 'zero'}, default 'copy'
        What a process that is forked gets of committed memory.
    dump : bool, default True
        Whether core dumps contain committed memory.
    shared : bool, default False
        Whether other processes can have the memory too.

    Attributes
    ----------
    address : int
        The first of its addresses. Raises ValueError once released.
    size : int
        How many bytes are reserved: `num_bytes`, rounded up to whole pages. ``len(region)`` is the same, but raises
        ValueError once released.
    committed : int
        How many of them are committed; 0 once released.
    page_size : int
        The size of a page in bytes: the unit of committing.
    name : str or None
        The name that it was given.
    huge_pages : bool
        Whether huge pages were requested.
    released : bool
        Whether it has been released.

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
        cls,
        num_bytes: "SupportsIndex",
        *,
        alignment: "SupportsIndex | None" = None,
        huge_pages: bool = False,
        name: str | None = None,
        fork: "Literal['copy', 'none', 'zero']" = "copy",
        dump: bool = True,
        shared: bool = False,
    ) -> "Self":
        return super().__new__(cls, num_bytes, alignment, huge_pages, name, fork, dump, shared)

    def commit(
        self, offset: "SupportsIndex" = 0, num_bytes: "SupportsIndex | None" = None, *, prefault: bool = False
    ) -> None:
        """Commit the pages that hold one or more bytes of a range: they become usable, and read zero.

        Pages that are committed already keep their contents and their protection. Live views stay valid.

        Parameters
        ----------
        offset : int, default 0
            Where the range begins, in bytes from the start of the region.
        num_bytes : int, optional
            How many bytes it covers. By default everything up to the end of the region. 0 commits nothing.
        prefault : bool, default False
            Also populate the pages with physical memory, as `prefault` does; read-only ones are skipped. If that fails
            or is interrupted, nothing is committed.

        Raises
        ------
        BufferError
            Another thread is at work on these pages.
        OutOfMemoryError
            The system refused; the message says which limit was hit. Nothing has changed then.
        OSError
            The system refused for another reason. Nothing has changed then.
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
        to_the_end = num_bytes is None
        if type(offset) is not int or type(num_bytes) is not int:
            offset, num_bytes = to_range(self, offset, num_bytes)
        try:
            if prefault:
                self._commit_and_prefault(offset, num_bytes)
            else:
                _vmem.Region.commit(self, offset, num_bytes)
        except _vmem.OutOfMemoryError as error:
            if to_the_end and offset > 0:
                error.add_note(
                    f"commit({offset}) is all from byte {offset} on; commit(0, {offset}) is the first {offset} bytes"
                )
            raise

    def decommit(self, offset: "SupportsIndex" = 0, num_bytes: "SupportsIndex | None" = None) -> None:
        """Decommit the pages that hold one or more bytes of a range: their memory is returned to the system.

        The contents of whole pages are lost, including the bytes of the first and last page that are outside the range.
        Protections and locks are lost too. Pages that are not committed are skipped. To use decommitted pages again,
        commit them; they read zero then.

        Parameters
        ----------
        offset : int, default 0
            Where the range begins, in bytes from the start of the region.
        num_bytes : int, optional
            How many bytes it covers. By default everything up to the end of the region. 0 decommits nothing.

        Raises
        ------
        BufferError
            Views of bytes on these pages are alive, or another thread is at work on them. Nothing has changed then.
        NotImplementedError
            The region is shared: a page that was given back could end another process that reads it.
        OutOfMemoryError
            Too many mappings would be needed. Nothing has changed then.
        OSError
            The system refused for another reason.
        ValueError
            The range is not in the region, or the region is released.

        Notes
        -----
        A large range is decommitted in chunks. If a signal handler raises an exception, such as KeyboardInterrupt, or
        the system refuses a chunk, those before it stay decommitted; `ranges` shows them.

        Examples
        --------
        >>> import vmem
        >>> with vmem.reserve(1 << 30) as region:
        ...     region.commit(0, 8 * region.page_size)
        ...     region.decommit(region.page_size)           # all but the first page
        ...     region.committed == region.page_size
        True
        """
        if type(offset) is not int or type(num_bytes) is not int:
            offset, num_bytes = to_range(self, offset, num_bytes)
        _vmem.Region.decommit(self, offset, num_bytes)

    def discard(self, offset: "SupportsIndex" = 0, num_bytes: "SupportsIndex | None" = None) -> None:
        """Drop the contents of the pages that hold one or more bytes of a range: they read zero, and stay committed.

        They take no physical memory until they are touched again. This is cheaper than decommitting and committing
        again, and since the memory stays committed, the system cannot refuse it afterwards. The contents of whole pages
        are lost, including the bytes of the first and last page that are outside the range.

        Parameters
        ----------
        offset : int, default 0
            Where the range begins, in bytes from the start of the region.
        num_bytes : int, optional
            How many bytes it covers. By default everything up to the end of the region. 0 discards nothing.

        Raises
        ------
        BufferError
            Views of bytes on these pages are alive, or another thread is at work on them. Nothing has changed then.
        NotImplementedError
            The region is shared: a page that was given back could end another process that reads it.
        OutOfMemoryError
            The system refused (not on Linux, unless ``madvise`` is denied). The pages are decommitted then.
        OSError
            The system refused for another reason. The contents of a first part may be lost then.
        ValueError
            A byte of the range is not committed, not writable or not in the region, or the region is released.

        Notes
        -----
        On Linux locked pages stay locked; elsewhere, and where ``madvise`` is denied, discarded pages are unlocked and
        become READ_WRITE. If a signal handler raises an exception, such as KeyboardInterrupt, the contents of a first
        part are lost.

        Examples
        --------
        >>> import vmem
        >>> with vmem.reserve(1 << 30) as region:
        ...     region.commit(0, 100)
        ...     region[0:5] = b"hello"
        ...     region.discard(0, 100)
        ...     region[0], region.is_committed(0, 100)
        (0, True)
        """
        if type(offset) is not int or type(num_bytes) is not int:
            offset, num_bytes = to_range(self, offset, num_bytes)
        _vmem.Region.discard(self, offset, num_bytes)

    def prefault(self, offset: "SupportsIndex" = 0, num_bytes: "SupportsIndex | None" = None) -> None:
        """Populate the pages that hold one or more bytes of a range with physical memory, before they are touched.

        Contents do not change. Other threads run meanwhile and may access the pages; calls that change the state of the
        pages raise BufferError.

        Parameters
        ----------
        offset : int, default 0
            Where the range begins, in bytes from the start of the region.
        num_bytes : int, optional
            How many bytes it covers. By default everything up to the end of the region.

        Raises
        ------
        BufferError
            Another thread is about to decommit or discard these pages.
        OutOfMemoryError
            There is not enough memory.
        OSError
            The system refused for another reason.
        ValueError
            A byte of the range is not committed, not writable or not in the region, or the region is released.

        Notes
        -----
        If a signal handler raises an exception, such as KeyboardInterrupt, a first part of the range is populated.

        Examples
        --------
        >>> import vmem
        >>> with vmem.reserve(1 << 30) as region:
        ...     region.commit(0, 1 << 20)
        ...     region.prefault(0, 1 << 20)
        ...     region.resident(0, 1 << 20)
        1048576
        """
        if type(offset) is not int or type(num_bytes) is not int:
            offset, num_bytes = to_range(self, offset, num_bytes)
        _vmem.Region.prefault(self, offset, num_bytes)

    def protect(
        self, protection: "SupportsIndex", offset: "SupportsIndex" = 0, num_bytes: "SupportsIndex | None" = None
    ) -> None:
        """Change the protection of the pages that hold one or more bytes of a range.

        Views follow it: read-only pages have read-only views, and pages without access have none. Items and slices that
        it forbids raise ValueError; native code that violates it is stopped by a memory fault.

        Parameters
        ----------
        protection : Protection
            The access to allow. Where the processor cannot tell two kinds of access apart, both are allowed: most
            processors can read what they can execute.
        offset : int, default 0
            Where the range begins, in bytes from the start of the region.
        num_bytes : int, optional
            How many bytes it covers. By default everything up to the end of the region. 0 changes nothing.

        Raises
        ------
        BufferError
            Live views need the access that would be removed, or another thread is at work on these pages.
        OutOfMemoryError
            Too many mappings would be needed, or pages that become writable again would exceed the data or commit
            limit; the message says which. Nothing has changed then.
        OSError
            The system refused, for example by a policy against code that is writable. Nothing has changed then, unless
            the policy also forbids the protection that was there before; `ranges` shows the result.
        ValueError
            A byte of the range is not committed or not in the region, or the region is released, or `protection` is not
            a Protection.

        Notes
        -----
        Taking write access away ends the promise that a commit makes: the system may stop accounting for the pages, and
        granting write access again can be refused, as a commit can.

        Making pages executable, also when they are, flushes the instruction cache: the processor executes what is in
        them now.

        Before memory is made executable, an auditing event ``vmem.protect`` is raised with arguments ``region``,
        ``protection``, ``offset`` and ``num_bytes``.

        Examples
        --------
        >>> import vmem
        >>> with vmem.reserve(1 << 30) as region:
        ...     region.commit(0, 100)
        ...     region[0:5] = b"hello"
        ...     region.protect(vmem.Protection.READ, 0, 100)
        ...     region[0:5].readonly
        True
        """
        protection = to_protection(protection)
        if type(offset) is not int or type(num_bytes) is not int:
            offset, num_bytes = to_range(self, offset, num_bytes)
        _vmem.Region.protect(self, protection, offset, num_bytes)

    def lock(
        self, offset: "SupportsIndex" = 0, num_bytes: "SupportsIndex | None" = None, *, on_fault: bool = False
    ) -> None:
        """Lock the pages that hold one or more bytes of a range in physical memory: they are never written to swap.

        Pages without physical memory are populated. Locks do not nest: one `unlock` ends them all, and so does
        `decommit`. A forked child has none.

        Parameters
        ----------
        offset : int, default 0
            Where the range begins, in bytes from the start of the region.
        num_bytes : int, optional
            How many bytes it covers. By default everything up to the end of the region.
        on_fault : bool, default False
            Do not populate the pages now: each one is locked when it is first touched.

        Raises
        ------
        BufferError
            Another thread is at work on these pages.
        OutOfMemoryError
            The process would have more locked memory than it may; the message says how much that is. Nothing has
            changed then.
        NotImplementedError
            `on_fault` on a system that cannot do that: all but Linux.
        OSError
            The system refused for another reason. Nothing has changed then.
        ValueError
            A byte of the range is not committed, not readable or not in the region, or the region is released.

        Examples
        --------
        >>> import vmem
        >>> with vmem.reserve(1 << 30) as region:
        ...     region.commit(0, 32)
        ...     region.lock(0, 32)                          # a secret that must not reach a disk
        ...     region[0:6] = b"secret"
        ...     region[0:32] = bytes(32)
        ...     region.unlock(0, 32)
        """
        if type(offset) is not int or type(num_bytes) is not int:
            offset, num_bytes = to_range(self, offset, num_bytes)
        if on_fault:
            self._lock_on_fault(offset, num_bytes)
        else:
            _vmem.Region.lock(self, offset, num_bytes)

    def unlock(self, offset: "SupportsIndex" = 0, num_bytes: "SupportsIndex | None" = None) -> None:
        """Unlock the pages that hold one or more bytes of a range. Pages that are not locked are skipped.

        Parameters
        ----------
        offset : int, default 0
            Where the range begins, in bytes from the start of the region.
        num_bytes : int, optional
            How many bytes it covers. By default everything up to the end of the region.

        Raises
        ------
        BufferError
            Another thread is at work on these pages.
        OutOfMemoryError
            Too many mappings would be needed. Nothing has changed then.
        OSError
            The system refused for another reason.
        ValueError
            A byte of the range is not committed or not in the region, or the region is released.

        Notes
        -----
        A large range is unlocked in chunks. If a signal handler raises an exception, such as KeyboardInterrupt, or the
        system refuses a chunk, those before it stay unlocked.

        Examples
        --------
        >>> import vmem
        >>> with vmem.reserve(1 << 30) as region:
        ...     region.commit(0, 32)
        ...     region.lock(0, 32)
        ...     region.unlock(0, 32)
        ...     region.unlock(0, 32)
        """
        if type(offset) is not int or type(num_bytes) is not int:
            offset, num_bytes = to_range(self, offset, num_bytes)
        _vmem.Region.unlock(self, offset, num_bytes)

    def resident(self, offset: "SupportsIndex" = 0, num_bytes: "SupportsIndex | None" = None) -> int:
        """Count the bytes that are in physical memory, of the pages that hold one or more bytes of a range.

        Committed pages get physical memory when they are first touched. Those of shared memory count when any process
        has touched them, and may count before.

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
            The system does not report it (OpenBSD).
        OutOfMemoryError, OSError
            The system refused.
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
        if type(offset) is not int or type(num_bytes) is not int:
            offset, num_bytes = to_range(self, offset, num_bytes)
        return _vmem.Region.resident(self, offset, num_bytes)

    def ranges(self) -> "list[Range]":
        """List the whole region, in order, as runs of pages with equal properties.

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
        types = import_types()
        return [
            types.Range(offset, num_bytes, committed, types.Protection(protection))
            for offset, num_bytes, committed, protection in super().ranges()
        ]

    def __enter__(self) -> "Self":
        _vmem.Region.__len__(self)  # raises ValueError if it is released
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        if error is None:
            self.release()
        else:  # a BufferError about a view must not replace the exception; the memory is released with the last view
            self._release_deferred()

    def __reduce__(self) -> "NoReturn":
        if self._is_shared:
            raise TypeError(
                f"cannot pickle a shared {type(self).__name__!r} object, nor copy it: send it to another process with "
                "multiprocessing, as an argument or through a queue or pipe; or send its fileno(), for vmem.attach()"
            )
        raise TypeError(
            f"cannot pickle {type(self).__name__!r} object, nor copy it: its memory stays where it is; "
            "pickle a copy, bytes(region[a:b]), or an array of NumPy over region[a:b]"
        )

    def __array__(self, *_arguments: object, **_keywords: object) -> "NoReturn":
        # Without this NumPy makes an array of one object.
        raise TypeError("a region is not a buffer, but region[a:b] is one: numpy.asarray(region[a:b]) shares its bytes")

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        if self.released:
            return f"<{type(self).__module__}.{type(self).__name__}{name}: {self.size} bytes, released>"
        num_views = self._count_views()
        shared = "shared, " if self._is_shared else ""
        return (
            f"<{type(self).__module__}.{type(self).__name__}{name} at {self.address:#x}: {self.size} bytes, {shared}"
            f"{self.committed} committed, {num_views} {'view' if num_views == 1 else 'views'}>"
        )
