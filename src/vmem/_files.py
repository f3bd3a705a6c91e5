"""`open_array`, and `FileArray`, which it returns: arrays that are files."""

import atexit
import errno
import os
import sys
from _operator import index  # operator, by the name that is built in
from _weakref import ref  # weakref takes time to import

from vmem import _vmem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any, Literal, Self, SupportsIndex, TypeAlias, TypeVar, overload

    _Item = TypeVar("_Item", bound=float | tuple[Any, ...])  # noqa: PYI018 - FileArray names it
    _Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
    _Mode: TypeAlias = Literal["r", "r+", "w+", "x", "a"]

MODES = ("r", "r+", "w+", "x", "a")
# A pipe, which is refused, blocks without the last one.
FLAGS = sum(getattr(os, f"O_{name}", 0) for name in ("CLOEXEC", "NOINHERIT", "BINARY", "NOCTTY", "NONBLOCK"))

# As in the module stat, which takes time to import.
TYPE_BITS, DIRECTORY, REGULAR_FILE = 0o170000, 0o040000, 0o100000


class FileArray(_vmem.Array["_Item"]):
    """An `Array` that is a file, as `open_array` returns it.

    Writing to it is appending, and setting items that there are: what removes or moves items is a TypeError, because
    other processes may read the file. Copies and pickles are arrays of the items, which are no files. In a forked child
    it is a reader.

    Examples
    --------
    >>> import os, tempfile, vmem
    >>> path = os.path.join(tempfile.mkdtemp(), "numbers.bin")
    >>> with vmem.open_array(path, "i", mode="x") as array:
    ...     array.extend([1, 2, 3])
    >>> os.path.getsize(array.path), array[-1], array.readonly
    (12, 3, True)
    """

    __slots__ = ("_folder", "_path")

    _path: "str | bytes"
    _folder: "Folder | None"  # of a new file, until the disk has it

    def __new__(cls, *_: object, **__: object) -> "Self":
        raise TypeError("a FileArray is made by vmem.open_array()")

    @property
    def path(self) -> "str | bytes":
        """The path of the file, as it was given."""
        return self._path

    def fileno(self) -> int:
        """The descriptor of the file, on Windows a handle. It belongs to the array. ValueError when it is closed."""
        return _vmem._get_descriptor(self)

    def flush(self, *, durable: bool = True) -> None:
        """Make the size and the header of the file exact, on Windows the header alone, and let readers see all items.

        Parameters
        ----------
        durable : bool, default True
            Whether to wait until all of it would survive a loss of power, which takes milliseconds. Otherwise it
            survives the end of the process only.

        Raises
        ------
        OSError
            The disk is full or has failed.
        ValueError
            The file is closed.
        BufferError
            Another thread is in a long call, `prefault` or `lock`.

        Notes
        -----
        Does nothing where the file was opened to be read.
        """
        _vmem._flush_array(self, durable)
        if durable:
            self._sync_folder()

    def close(self) -> None:
        """Flush the file, and close it, whatever fails. Does nothing when it is closed.

        A long call of another thread, `prefault` or `lock`, is a BufferError that leaves it open.

        On Windows the size becomes exact, then or when the last view ends; an OSError where others map a file without
        header: it stays open until this array is deleted, which tries again.

        The items can still be read, but not changed: that is a ValueError. Leaving ``with`` does the same. What is not
        closed when Python ends is flushed as ``flush(durable=False)`` does.

        Views and NumPy arrays that exist stay valid and writable: **what is written to them still changes the file**,
        which another process may be writing by then.
        """
        _vmem._close_array(self)
        self._sync_folder()

    def _sync_folder(self) -> None:
        folder = self._folder
        if folder is not None:
            folder.sync()
            self._folder = None

    def __enter__(self) -> "Self":
        _vmem._get_descriptor(self)
        return self

    def __exit__(
        self,
        error_type: "type[BaseException] | None",
        error: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        self.close()

    def __reduce__(self) -> "tuple[Any, ...]":
        return self[:].__reduce__()

    def __reduce_ex__(self, protocol: "SupportsIndex") -> "tuple[Any, ...]":
        return self[:].__reduce_ex__(protocol)


if TYPE_CHECKING:

    @overload
    def open_array(
        path: _Path,
        typecode: Literal["b", "B", "h", "H", "i", "I", "l", "L", "q", "Q"],
        *,
        row_shape: tuple[()] = (),
        mode: _Mode = "r",
        capacity: SupportsIndex | None = None,
    ) -> FileArray[int]: ...
    @overload
    def open_array(
        path: _Path,
        typecode: Literal["f", "d"],
        *,
        row_shape: tuple[()] = (),
        mode: _Mode = "r",
        capacity: SupportsIndex | None = None,
    ) -> FileArray[float]: ...
    @overload
    def open_array(
        path: _Path,
        typecode: str | None = None,
        *,
        row_shape: Iterable[SupportsIndex] = (),
        mode: _Mode = "r",
        capacity: SupportsIndex | None = None,
    ) -> FileArray[Any]: ...


def open_array(
    path: "str | bytes | os.PathLike[str] | os.PathLike[bytes]",
    typecode: str | None = None,
    *,
    row_shape: "Iterable[SupportsIndex]" = (),
    mode: object = "r",
    capacity: "SupportsIndex | None" = None,
) -> "FileArray[Any]":
    """Open a file as an array: its memory is the file, which grows in place.

    The process that writes it appends and sets items as in any `Array`; views and NumPy arrays over it stay valid while
    it grows. Any number of others read it at the same time, and see what was flushed.

    A file that somebody else makes shorter, or whose disk fails, ends the process with SIGBUS when lost items are read,
    as every mapped file does. So does a full disk where the file system copies what is written (btrfs, ZFS), or when an
    item in a hole of a sparse file is set.

    Parameters
    ----------
    path : str, bytes or os.PathLike
        A file that ends with ``.npy`` has NumPy's header, and others have nothing but the items.
    typecode : str, optional
        As in `Array`. Only a ``.npy`` file that there is says it itself.
    row_shape : sequence of int, default ()
        As in `Array`. A ``.npy`` file that there is says it itself, and one that is given must agree.
    mode : {'r', 'r+', 'w+', 'x', 'a'}, default 'r'
        'r' reads; 'r+' reads and appends; 'a' does so too, and makes the file if there is none; 'x' makes one, and
        there must be none; 'w+' makes one, which takes the place of an old one: processes that read that keep it.
    capacity : int, optional
        How many items it can ever have. By default as many as an `Array`, beyond those that there are. A reader never
        shows more, and raises nothing: give it that of the writer, or open it again when ``len`` is `capacity`.

    Returns
    -------
    FileArray

    Raises
    ------
    BlockingIOError
        Another process, or another array of this one, writes the file.
    OSError
        The file cannot be opened, or is not a regular file.
    OutOfMemoryError
        The process has no free range of addresses of this size, or has reached a limit; the message says which.
    ValueError
        The size of the file is not a whole number of items; it is not a ``.npy`` file, or one of numbers that an
        `Array` cannot hold, or in the order of Fortran; or an argument is wrong. The file is as it was.
    TypeError
        The typecode is missing, or an argument is of the wrong type.

    Notes
    -----
    The file has a whole number of items at every moment. If the process is killed, a ``.npy`` file has what there was
    at the last flush, and another one may end with zeros. A full disk is an OSError, and changes nothing.

    What is behind the items of a ``.npy`` file is taken for what a killed process left: it is removed when items have
    been appended, by the next flush. Without that, opening, flushing and closing a file change nothing in it.

    On Windows a file that is written has whole units of 64 KiB, with zeros behind the items, until it is closed.

    Raises the auditing events ``open``, as `os.open` does, and ``vmem.reserve`` with ``num_bytes`` and ``name``.

    Examples
    --------
    >>> import os, tempfile, vmem
    >>> path = os.path.join(tempfile.mkdtemp(), "samples.npy")
    >>> with vmem.open_array(path, "d", mode="x") as array:
    ...     reader = vmem.open_array(path)                 # usually in another process
    ...     array.extend([1.0, 2.5])
    ...     array.flush(durable=False)
    ...     list(reader)
    [1.0, 2.5]
    """
    path = os.fspath(path)
    if not isinstance(mode, str):
        raise TypeError(f"mode must be a str, not {type(mode).__name__}")
    if mode not in MODES:
        raise ValueError(f"mode must be 'r', 'r+', 'w+', 'x' or 'a', got {mode!r}")
    shape = tuple(index(each) for each in row_shape)
    wanted = None if typecode is None else Items(typecode, shape)
    is_npy = os.fsencode(path).endswith(b".npy")
    if wanted is None and (not is_npy or mode in ("w+", "x")):
        raise make_typecode_error(path)
    opening = Opening(path, mode)
    array = None
    try:
        opening.open()
        layout = find_layout(opening, wanted, shape, is_npy)
        check_room(layout, capacity, path)
        array = map_file(opening, layout, capacity)
        array._path = path
        array._folder = opening.complete()
        if mode != "r":
            flush_at_exit(array)
    except BaseException:
        array = None  # Windows removes no file that is mapped
        raise
    finally:
        opening.close()
    return array


def map_file(opening: "Opening", layout: "Layout", capacity: "SupportsIndex | None") -> "FileArray[Any]":
    array_type: type[FileArray[Any]] = FileArray
    try:
        return _vmem._open_array(array_type, to_handle(opening.fd), *layout, capacity, opening.mode != "r")
    except OSError as error:
        if error.errno in (0, errno.ENODEV):  # 0: in huge pages
            raise OSError(errno.ENODEV, "files of this file system cannot be mapped", opening.path) from None
        error.filename = opening.path
        raise


# --- the end of the process ---

MAX_WAITS = 3000  # of a millisecond
WRITERS: "dict[int, ref[FileArray[Any]]]" = {}  # those that exist, by their id


def flush_at_exit(array: "FileArray[Any]") -> None:
    key, forget = id(array), WRITERS.pop  # which outlives this module
    WRITERS[key] = ref(array, lambda _: forget(key, None))


def flush_writers() -> None:
    """Flush what is still open when Python ends: a thread, or a reference that is never deleted, can keep an array."""
    for reference in WRITERS.copy().values():
        array = reference()
        try:
            if array is not None:
                flush_when_possible(array)
        except ValueError:  # it is closed
            pass
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)


def flush_when_possible(array: "FileArray[Any]") -> None:
    """Wait for a thread that is in a long call with the array, but not for one that never ends."""
    from time import sleep

    for waits in range(MAX_WAITS, -1, -1):
        try:
            _vmem._flush_array(array, False)
            break
        except BufferError:
            if waits == 0:
                raise
        sleep(0.001)
    if sys.platform == "win32":
        array.close()  # which makes the size of the file exact


atexit.register(flush_writers)


# --- files ---


# Others are faster now and then, not each time.
MAX_TRIES = 100


class Opening:
    """A file that is being opened. What was made is removed, unless that is completed."""

    def __init__(self, path: str | bytes, mode: str) -> None:
        self.path = path
        self.mode = mode
        self.fd = self.old_fd = -1
        self.made: str | bytes | None = None  # a new file
        self.target: str | bytes | None = None  # the path of an old one, whose place it will take
        self.was_empty = False  # until a header was written to it

    def open(self) -> None:
        for _ in range(MAX_TRIES):
            if self.try_to_open():
                return
            self.close()
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)

    def try_to_open(self) -> bool:
        """Returns False when another process was faster, and this must be tried again."""
        if self.mode != "x":
            try:
                self.fd = open_file(self.path, os.O_RDONLY if self.mode == "r" else os.O_RDWR)
            except FileNotFoundError:
                if self.mode in ("r", "r+"):
                    raise
            else:
                return self.accept()
        is_link = self.mode != "x" and os.path.islink(self.path)
        try:
            self.make(os.path.realpath(self.path) if is_link else self.path)
        except FileExistsError:
            if self.mode == "x":
                raise
            return False
        return True

    def make(self, path: str | bytes) -> None:
        try:
            self.fd = open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except OSError as error:
            raise self.rename_error(error) from None
        self.made = path
        try:
            lock(self.fd, self.path)
        except BlockingIOError:  # others have opened it: it is theirs
            self.made = None
            raise

    def rename_error(self, error: OSError) -> OSError:
        """The same error, with the path that the caller knows."""
        return OSError(error.errno, error.strerror, self.path)

    def accept(self) -> bool:
        check_regular(self.fd, self.path)
        if self.mode == "r":
            return True
        lock(self.fd, self.path)
        try:
            is_same = os.path.samestat(os.fstat(self.fd), os.stat(self.path))
        except FileNotFoundError:
            is_same = False
        if is_same and self.mode == "w+":
            self.replace()
        return is_same

    def replace(self) -> None:
        """Make a new file, so that those who read the old one keep it."""
        self.old_fd, self.fd = self.fd, -1
        self.target = os.path.realpath(self.path)
        if not os.path.exists(self.target):
            raise OSError(errno.EINVAL, "a file without a name cannot be replaced", self.path)
        folder = os.path.dirname(os.fsencode(self.target))
        self.make(os.path.join(folder, b".vmem-%s.new" % os.urandom(4).hex().encode()))
        try:
            if sys.platform != "win32":  # whose mode has nothing but whether it is read-only
                os.chmod(self.fd, os.fstat(self.old_fd).st_mode & 0o777)
        except OSError as error:
            raise self.rename_error(error) from None

    def complete(self) -> "Folder | None":
        """Returns the folder of a new file."""
        self.was_empty = False
        if self.made is None:
            return None
        if self.target is not None:
            if sys.platform == "win32":  # where no other file takes the place of one that is open
                os.close(self.old_fd)
                self.old_fd = -1
            try:
                os.replace(self.made, self.target)
            except OSError as error:
                raise self.rename_error(error) from None
        folder = os.path.dirname(self.made)
        self.made = None
        return Folder(folder)

    def close(self) -> None:
        """Remove what was made while it is locked: then no other process has begun to write it."""
        try:
            if self.made is not None:
                self.remove(self.made)
            elif self.was_empty:
                os.ftruncate(self.fd, 0)
        except OSError:
            pass  # what made the opening fail says more
        finally:
            fds = {self.fd, self.old_fd} - {-1}
            self.fd = self.old_fd = -1
            self.made = None
            self.was_empty = False
            for fd in fds:
                os.close(fd)

    def remove(self, path: str | bytes) -> None:
        is_same = os.path.samestat(os.fstat(self.fd), os.stat(path, follow_symlinks=False))
        if sys.platform == "win32":  # which removes no open file
            os.close(self.fd)
            self.fd = -1
        if is_same:
            os.unlink(path)


def open_file(path: str | bytes, flags: int) -> int:
    if sys.platform == "win32" and flags & os.O_RDWR:
        return open_exclusively(path, flags)
    return os.open(path, flags | FLAGS, 0o666)


# Constants of CreateFileW().
FILE_SHARE_READ, FILE_SHARE_DELETE, CREATE_NEW, OPEN_EXISTING, ERROR_SHARING_VIOLATION = 1, 4, 1, 3, 32


def open_exclusively(path: str | bytes, flags: int) -> int:
    """So that nobody else writes it meanwhile."""
    if sys.platform != "win32":
        raise NotImplementedError
    import _winapi
    import msvcrt

    sys.audit("open", path, None, flags | FLAGS)
    kind = CREATE_NEW if flags & os.O_CREAT else OPEN_EXISTING
    access, others = _winapi.GENERIC_READ | _winapi.GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE
    try:
        handle = _winapi.CreateFile(os.fsdecode(path), access, others, 0, kind, 0, 0)
        try:
            return msvcrt.open_osfhandle(handle, flags | FLAGS)
        except BaseException:
            try:
                if kind == CREATE_NEW:  # while nobody else can write it
                    os.unlink(path)
            finally:
                _winapi.CloseHandle(handle)
            raise
    except OSError as error:
        if error.winerror == ERROR_SHARING_VIOLATION:
            raise locked_error(path) from None
        error.filename = path
        raise


def check_regular(fd: int, path: str | bytes) -> None:
    kind = os.fstat(fd).st_mode & TYPE_BITS
    if kind == DIRECTORY:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if kind != REGULAR_FILE:
        raise OSError(errno.EINVAL, "not a regular file", path)


def lock(fd: int, path: str | bytes) -> None:
    if sys.platform == "win32":  # where it was opened exclusively
        return
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise locked_error(path) from None


def locked_error(path: str | bytes) -> BlockingIOError:
    return BlockingIOError(errno.EAGAIN, "another array or process writes it or has locked it", path)


def to_handle(fd: int) -> int:
    """What the extension takes: on Windows the HANDLE."""
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.get_osfhandle(fd)
    return fd


class Folder:
    """The folder of a new file. It stays open, since it may be renamed."""

    def __init__(self, path: str | bytes) -> None:
        self.fd = -1
        if sys.platform == "win32":
            return
        try:
            self.fd = os.open(path or ".", os.O_RDONLY | FLAGS)
        except OSError:
            self.fd = -1  # without permission to read it nothing can be done

    def sync(self) -> None:
        """Wait until the disk has the names in it."""
        if self.fd < 0:
            return
        try:
            os.fsync(self.fd)
        except OSError as error:
            if error.errno != errno.EINVAL:  # of file systems that cannot do this
                raise

    def __del__(self, close: "Callable[[int], None]" = os.close) -> None:
        if self.fd >= 0:
            close(self.fd)


# --- what they hold ---


class Items:
    """The type of items: a typecode and the shape of rows, and what NumPy calls the numbers."""

    def __init__(self, typecode: str, row_shape: tuple[int, ...]) -> None:
        number_size = _vmem.Array(typecode).itemsize
        self.typecode = typecode
        self.row_shape = row_shape
        self.kind = ("f" if typecode in "fd" else "i" if typecode.islower() else "u") + str(number_size)
        self.descr = ("|" if number_size == 1 else "<" if sys.byteorder == "little" else ">") + self.kind
        self.size = number_size
        for each in row_shape:
            if each <= 0:
                raise ValueError(f"the dimensions of row_shape must be positive, got {row_shape}")
            self.size *= each


# The arguments of _open_array() after the descriptor: typecode, shape of rows, offset of the items, length, prefix and
# suffix.
Layout: "TypeAlias" = tuple[str, tuple[int, ...], int, int, bytes, bytes]


def find_layout(opening: Opening, wanted: Items | None, row_shape: tuple[int, ...], is_npy: bool) -> Layout:
    size = os.fstat(opening.fd).st_size
    if wanted is not None and not is_npy:
        return wanted.typecode, wanted.row_shape, 0, count_whole(size, 0, wanted.size, opening.path), b"", b""
    if size == 0 and opening.mode in ("w+", "x", "a"):
        if wanted is None:
            raise make_typecode_error(opening.path)
        opening.was_empty = True
        try:
            size = write_header(opening.fd, wanted)
        except OSError as error:
            raise opening.rename_error(error) from None
    return read_layout(opening, size, wanted, row_shape)


def make_typecode_error(path: str | bytes) -> TypeError:
    return TypeError(f"open_array() needs a typecode: {path!r} does not say what it holds")


def count_whole(size: int, offset: int, item_size: int, path: str | bytes) -> int:
    num_bytes = size - offset
    if num_bytes % item_size and not is_left(size):
        raise refusal(path, f"{num_bytes} bytes are not a whole number of items of {item_size} bytes")
    return num_bytes // item_size


def is_left(size: int) -> bool:
    """Whether a killed writer may have left a file: on Windows it has whole units until it is closed."""
    return sys.platform == "win32" and size % _vmem.get_allocation_granularity() == 0


def refusal(path: str | bytes, reason: str) -> ValueError:
    return ValueError(f"cannot open {path!r}: {reason}")


# --- headers of .npy files: numpy.lib.format describes them ---

MAGIC = b"\x93NUMPY"
MAX_HEADER = 1 << 16
MAX_DIGITS = 20
TYPECODES = {
    "f4": "f",
    "f8": "d",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
}


def write_header(fd: int, items: Items) -> int:
    """Write one that has room for any number of items. Returns its size."""
    shape = "".join(f", {each}" for each in items.row_shape) or ","
    text = f"{{'descr': '{items.descr}', 'fortran_order': False, 'shape': (0{shape}), }}".encode()
    size = (10 + len(text) + MAX_DIGITS + 63) // 64 * 64
    header = MAGIC + b"\x01\x00" + (size - 10).to_bytes(2, "little") + text.ljust(size - 11) + b"\n"
    while header:  # after a part of it the next call says why
        header = header[os.write(fd, header) :]
    return size


def read_at(fd: int, offset: int, num_bytes: int) -> bytes:
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, num_bytes)


def read_layout(opening: Opening, size: int, wanted: Items | None, row_shape: tuple[int, ...]) -> Layout:
    fd, path = opening.fd, opening.path
    start = read_at(fd, 0, 12)
    if start[:6] != MAGIC or len(start) < 12:
        raise refusal(path, "it does not begin as a .npy file does")
    if start[6] not in (1, 2, 3) or start[7] != 0:
        raise refusal(path, f"its version is {start[6]}.{start[7]}, and 1.0, 2.0 and 3.0 are known")
    text_offset = 10 if start[6] == 1 else 12
    text_size = int.from_bytes(start[8:text_offset], "little")
    offset = text_offset + text_size
    if text_size > MAX_HEADER or offset > size:
        raise refusal(path, f"its header is said to have {text_size} bytes")
    text = read_at(fd, text_offset, text_size)
    encoding = "utf-8" if start[6] == 3 else "latin-1"
    items, length = parse_header(text, path, encoding)
    if wanted is not None:
        if wanted.kind != items.kind:
            raise refusal(path, f"its items are {items.descr!r}, and those of {wanted.typecode!r} are {wanted.descr!r}")
        items = Items(wanted.typecode, items.row_shape)
    if row_shape and row_shape != items.row_shape:
        raise refusal(path, f"its rows have the shape {items.row_shape}, not {row_shape}")
    if offset % int(items.descr[2:]):
        raise refusal(path, f"its items begin at byte {offset}, which is not a multiple of their size")
    size = os.fstat(fd).st_size  # again: its writer may have made it longer before it wrote the length
    num_there = count_whole(size, offset, items.size, path)
    if length > num_there:
        raise refusal(path, f"its header says that it has {length} items, and there are {num_there}")
    if opening.mode != "r" and num_there > length and read_at(fd, offset + length * items.size, 6) == MAGIC:
        raise refusal(path, "another array follows in it")
    prefix, suffix = split_header(text, length, path)
    if parse_header(prefix + b"%d" % (length + 1) + suffix, path, encoding)[1] != length + 1:
        raise refusal(path, "its header cannot be understood")  # as where it gives two shapes
    return items.typecode, items.row_shape, offset, length, start[:text_offset] + prefix, suffix


def parse_header(text: bytes, path: str | bytes, encoding: str) -> tuple[Items, int]:
    from ast import literal_eval

    try:
        facts = literal_eval(text.decode(encoding))
        descr, is_fortran = facts["descr"], facts["fortran_order"]
        shape: tuple[Any, ...] = facts["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise refusal(path, "its header cannot be understood") from None
    if len(facts) != 3 or type(shape) is not tuple or not all(type(each) is int and each >= 0 for each in shape):
        raise refusal(path, "its header cannot be understood")
    typecode = find_typecode(descr) if type(descr) is str else None
    if typecode is None:
        raise refusal(path, f"its items are {descr!r}, which are no numbers of this machine that an array can hold")
    if type(is_fortran) is not bool:
        raise refusal(path, f"its fortran_order is {is_fortran!r}, which is not a bool")
    if is_fortran:
        raise refusal(path, "its order is that of Fortran")
    if not shape or 0 in shape[1:]:
        raise refusal(path, f"its shape is {shape}, which no array has")
    return Items(typecode, shape[1:]), shape[0]


def find_typecode(descr: str) -> str | None:
    """None for what are no numbers of this machine, as NumPy reads it: a single byte has no order."""
    order = descr[:1] if descr[:1] in ("|", "=", "<", ">") else ""
    kind = descr[len(order) :]
    is_swapped = order == (">" if sys.byteorder == "little" else "<") and not kind.endswith("1")
    return None if is_swapped else TYPECODES.get(kind)


def split_header(text: bytes, length: int, path: str | bytes) -> tuple[bytes, bytes]:
    """What comes before the number of items, and after it."""
    number = str(length).encode()
    before, parenthesis, after = text.partition(b"(")
    if not after.startswith(number) or b"shape" not in before:
        raise refusal(path, "its header cannot be understood")
    return before + parenthesis, after[len(number) :].rstrip()


def check_room(layout: Layout, capacity: object, path: str | bytes) -> None:
    """Old versions of NumPy left no room for more digits, and what follows them cannot be moved."""
    offset, prefix, suffix = layout[2], layout[4], layout[5]
    num_digits = offset - len(prefix) - len(suffix) - 1
    if prefix and isinstance(capacity, int) and capacity >= 10**num_digits:
        reason = f"its header has room for a length of {num_digits} digits, which is less than the capacity {capacity}"
        raise refusal(path, reason)


# Users, tracebacks, help() and pickles find them there.
FileArray.__module__ = open_array.__module__ = "vmem"
