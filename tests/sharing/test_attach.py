"""attach(): what it accepts, and descriptors and first pages that are not what they should be."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import vmem
from tests.support.marks import linux_only, needs_shared_memory, posix_only
from tests.support.processes import ROOT, run_python
from tests.support.system import num_descriptors
from vmem import _vmem

if sys.platform == "win32":
    pytest.skip("Windows has no descriptors of shared memory", allow_module_level=True)

import fcntl

pytestmark = [needs_shared_memory, posix_only]

HEADER = vmem.get_allocation_granularity()

# <linux/fcntl.h>; the fcntl module lacks the last one
SEAL_SEAL, SEAL_SHRINK, SEAL_GROW, SEAL_WRITE, SEAL_FUTURE_WRITE = 1, 2, 4, 8, 16
ADD_SEALS = 1033


@pytest.fixture
def shared(page: int) -> Iterator[vmem.Region]:
    region = vmem.reserve(16 * page, shared=True, name="original")
    region.commit(0, page)
    region[0:5] = b"hello"
    yield region
    region._release_deferred()


def find_traces() -> tuple[int, int]:
    """How many descriptors are open, and how many mappings are of objects."""
    return num_descriptors(), Path("/proc/self/maps").read_text(encoding="utf-8").count("memfd:")


# --- what it accepts ---


def test_the_descriptor_is_duplicated(shared: vmem.Region) -> None:
    number = os.dup(shared.fileno())
    attached = vmem.attach(number)
    assert attached.fileno() not in (number, shared.fileno())
    os.close(number)
    shared.release()
    assert isinstance(attached, vmem.Region)
    attached.commit(0, 5)
    assert bytes(attached[0:5]) == b"hello"
    attached.release()


def test_numbers_that_are_no_ints(shared: vmem.Region) -> None:
    class Number:
        def __index__(self) -> int:
            return shared.fileno()

    vmem.attach(Number()).release()  # type: ignore[union-attr]


@pytest.mark.parametrize("wrong", [None, "5", 5.0, b"5"])
def test_what_is_no_number(wrong: Any) -> None:
    with pytest.raises(TypeError, match="a descriptor must be an integer"):
        vmem.attach(wrong)


@pytest.mark.parametrize("wrong", [-1, 1 << 31, 1 << 64, -(1 << 64), 1 << 20000], ids=lambda wrong: f"{wrong:#x}"[:20])
def test_numbers_that_are_no_descriptors(wrong: int) -> None:
    with pytest.raises(ValueError, match="a descriptor must"):
        vmem.attach(wrong)


def test_a_closed_descriptor() -> None:
    number = os.dup(0)
    os.close(number)
    with pytest.raises(OSError, match=f"cannot attach descriptor {number}: the descriptor is closed") as raised:
        vmem.attach(number)
    assert raised.value.errno == 9


def test_a_type_that_releases_in_the_middle(shared: vmem.Region) -> None:
    """Converting the number releases the region, and closes its descriptor."""

    class Releasing:
        def __index__(self) -> int:
            number = shared.fileno()
            shared.release()
            return number

    with pytest.raises(OSError, match="cannot attach"):
        vmem.attach(Releasing())


def test_types_of_the_extension(shared: vmem.Region) -> None:
    number = shared.fileno()
    for wrong in ([vmem.Region], vmem.Region, None):
        with pytest.raises(TypeError, match="types must be a tuple"):
            _vmem.attach(number, wrong)  # type: ignore[arg-type]
    for none in ((), (int,), (vmem.Array,), (5, "x")):
        with pytest.raises(ValueError, match="is that of a region, which was not expected"):
            _vmem.attach(number, none)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes exactly 2 arguments"):
        _vmem.attach(number)  # type: ignore[call-arg]
    attached = _vmem.attach(number, (int, vmem.Array, _vmem.Region))
    assert type(attached) is _vmem.Region
    attached.release()


# --- other processes ---

ATTACH = """
    import os, socket, sys, vmem
    def use(number):
        region = vmem.attach(number)
        os.close(number)
        region.commit(0, 100)
        assert bytes(region[0:5]) == b"hello", bytes(region[0:5])
        region[0:5] = b"reply"
        assert region.name == "original"
"""


def test_a_descriptor_that_a_program_inherits(shared: vmem.Region) -> None:
    code = ATTACH.replace("\n    ", "\n") + "use(int(sys.argv[1]))"
    number = shared.fileno()
    subprocess.run([sys.executable, "-c", code, str(number)], pass_fds=[number], check=True, cwd=ROOT)
    assert bytes(shared[0:5]) == b"reply"


def test_a_descriptor_that_is_sent_through_a_socket(shared: vmem.Region) -> None:
    ours, theirs = socket.socketpair()
    code = ATTACH.replace("\n    ", "\n") + "\n".join(
        [
            "received = socket.recv_fds(socket.socket(fileno=int(sys.argv[1])), 10, 1)",
            "use(received[1][0])",
        ]
    )
    with ours, theirs:
        command = [sys.executable, "-c", code, str(theirs.fileno())]
        with subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT) as process:
            socket.send_fds(ours, [b"region"], [shared.fileno()])
            assert process.wait() == 0
    assert bytes(shared[0:5]) == b"reply"


# --- descriptors of something else ---


def open_pipe() -> int:
    reading, writing = os.pipe()
    os.close(writing)
    return reading


def open_socket() -> int:
    one, other = socket.socketpair()
    other.close()
    return one.detach()


def open_file() -> int:
    with tempfile.TemporaryFile() as file:
        file.write(bytes(2 * HEADER))
        file.flush()
        return os.dup(file.fileno())


def open_memory() -> int:
    number = os.memfd_create("foreign", os.MFD_ALLOW_SEALING)
    os.write(number, bytes(2 * HEADER))
    return number


def open_sealed_memory() -> int:
    number = open_memory()
    fcntl.fcntl(number, ADD_SEALS, SEAL_SHRINK | SEAL_SEAL)
    return number


def open_small_memory() -> int:
    number = os.memfd_create("foreign", os.MFD_ALLOW_SEALING)
    os.write(number, b"small")
    fcntl.fcntl(number, ADD_SEALS, SEAL_SHRINK | SEAL_SEAL)
    return number


STRANGERS: dict[str, Callable[[], int]] = {
    "pipe": open_pipe,
    "socket": open_socket,
    "folder": lambda: os.open("/", os.O_RDONLY),
    "file": open_file,
    "device": lambda: os.open("/dev/zero", os.O_RDWR),
    "path": lambda: os.open("/", os.O_PATH),
    "memory": open_memory,
    "sealed memory": open_sealed_memory,
    "small memory": open_small_memory,
    "empty memory": lambda: os.memfd_create("foreign"),
}


@linux_only
@pytest.mark.parametrize("stranger", STRANGERS)
def test_descriptors_of_something_else(stranger: str) -> None:
    number = STRANGERS[stranger]()
    before = find_traces()
    with contextlib.suppress(OSError):
        os.close(-1)  # leaves EBADF as the error of this thread, which is not that of the descriptor
    try:
        with pytest.raises(ValueError, match=r"is not (that of )?shared memory of vmem"):
            vmem.attach(number)
        os.fstat(number)
        assert find_traces() == before
    finally:
        os.close(number)


@linux_only
@pytest.mark.parametrize("make", [lambda: vmem.reserve(1, shared=True), lambda: vmem.Array("d", shared=True)])
def test_descriptors_that_give_no_access(make: Callable[[], vmem.Region | vmem.Array[Any]]) -> None:
    made = make()
    number = os.open(f"/proc/self/fd/{made.fileno()}", os.O_PATH)
    before = find_traces()
    try:
        message = rf"^\[Errno {errno.EBADF}\] cannot attach descriptor {number}: it was opened with O_PATH"
        with pytest.raises(OSError, match=message):
            vmem.attach(number)
        assert find_traces() == before
    finally:
        os.close(number)


# --- first pages that are wrong ---

PAGE_SIZE = 448
FIELDS = {
    "byte_order": (8, "I"),
    "version": (12, "I"),
    "kind": (16, "I"),
    "flags": (20, "I"),
    "data_offset": (24, "Q"),
    "num_bytes": (32, "Q"),
    "item_size": (40, "Q"),
    "num_dims": (48, "I"),
    "row_shape": (64, "Q"),
}


def set_field(first_page: bytearray, name: str, value: int) -> None:
    offset, code = FIELDS[name]
    struct.pack_into("=" + code, first_page, offset, value)


def make_object(first_page: bytes, size: int, seals: int = SEAL_SHRINK | SEAL_SEAL) -> int:
    number = os.memfd_create("forged", os.MFD_ALLOW_SEALING)
    os.write(number, first_page)
    os.ftruncate(number, size)
    if seals:
        fcntl.fcntl(number, ADD_SEALS, seals)
    return number


def attach_forged(
    shared: vmem.Region, change: Callable[[bytearray], object], seals: int = SEAL_SHRINK | SEAL_SEAL
) -> Any:
    first_page = bytearray(os.pread(shared.fileno(), PAGE_SIZE, 0))
    change(first_page)
    number = make_object(bytes(first_page), HEADER + shared.page_size, seals)
    before = find_traces()
    try:
        return vmem.attach(number)
    except BaseException:
        assert find_traces() == before
        raise
    finally:
        os.close(number)


@linux_only
def test_a_copy_of_an_object_is_one(shared: vmem.Region) -> None:
    """Or else what follows tests nothing."""
    region = attach_forged(shared, lambda first_page: None)
    region.commit()
    assert (region.size, region.name) == (shared.size, "original")
    region.release()


SWAPPED = 0x04030201

WRONG_FIELDS = [
    ("byte_order", SWAPPED, "made by a process of the other byte order"),
    ("byte_order", 5, "byte order of this shared memory is unknown: its mark is 5"),
    ("version", 0, r"has version 0, and this vmem knows version \d+: use the same version"),
    ("version", 77, r"has version 77, and this vmem knows version \d+: use the same version"),
    ("kind", 0, "the kind of this shared memory is unknown: 0"),
    ("kind", 2**32 - 1, "the kind of this shared memory is unknown: 4294967295"),
    ("flags", 4, "the flags of this shared memory are unknown: 4"),
    ("data_offset", 0, rf"begins at byte 0, and on this system at {HEADER}"),
    ("data_offset", 2**63, rf"begins at byte {2**63}, and on this system at {HEADER}"),
    ("num_bytes", 0, "is said to be 0 bytes, which is not from 1 to"),
    ("num_bytes", 2**63, f"is said to be {2**63} bytes, which is not from 1 to"),
    ("num_bytes", 2**64 - 1, f"is said to be {2**64 - 1} bytes, which is not from 1 to"),
    ("item_size", 2**64 - 1, "items of this shared memory are said to be larger than addresses can name"),
    ("num_dims", 9, "are said to have 9 dimensions, and can have 8"),
    ("num_dims", 2**32 - 1, "are said to have 4294967295 dimensions, and can have 8"),
]


@linux_only
@pytest.mark.parametrize(("name", "value", "message"), WRONG_FIELDS)
def test_fields_that_are_wrong(name: str, value: int, message: str, shared: vmem.Region) -> None:
    with pytest.raises(ValueError, match=message):
        attach_forged(shared, lambda first_page: set_field(first_page, name, value))


@linux_only
@pytest.mark.parametrize("offset", range(8))
def test_wrong_first_bytes(offset: int, shared: vmem.Region) -> None:
    def change(first_page: bytearray) -> None:
        first_page[offset] ^= 1

    with pytest.raises(ValueError, match="its first bytes are others"):
        attach_forged(shared, change)


@linux_only
def test_texts_without_an_end(shared: vmem.Region) -> None:
    def fill(start: int, end: int) -> Callable[[bytearray], None]:
        def change(first_page: bytearray) -> None:
            first_page[start:end] = b"x" * (end - start)

        return change

    for start, end in ((52, 64), (128, 384)):
        with pytest.raises(ValueError, match="has no end"):
            attach_forged(shared, fill(start, end))


@linux_only
def test_a_name_that_is_no_text(shared: vmem.Region) -> None:
    def change(first_page: bytearray) -> None:
        first_page[128:132] = b"a\xff\xfe\0"

    with pytest.raises(ValueError, match=r"^the name of this shared memory is not UTF-8: b'a\\xff\\xfe'$"):
        attach_forged(shared, change)


@linux_only
def test_row_shapes_that_are_too_large(shared: vmem.Region) -> None:
    def change(first_page: bytearray) -> None:
        set_field(first_page, "num_dims", 1)
        set_field(first_page, "row_shape", 2**63)

    with pytest.raises(ValueError, match="larger than addresses can name"):
        attach_forged(shared, change)


@linux_only
@pytest.mark.parametrize(
    ("seals", "message"),
    [
        (0, "is not that of shared memory"),
        (SEAL_SHRINK, "is not that of shared memory"),  # others could still be added
        (SEAL_SEAL, "is not that of shared memory"),
        (SEAL_GROW | SEAL_SEAL, "is not that of shared memory"),
        (SEAL_SHRINK | SEAL_FUTURE_WRITE | SEAL_SEAL, "has the seals 3, and its kind has the seals 1"),
        (SEAL_SHRINK | SEAL_WRITE | SEAL_SEAL, "has the seals 3, and its kind has the seals 1"),
    ],
)
def test_seals_that_are_wrong(seals: int, message: str, shared: vmem.Region) -> None:
    with pytest.raises(ValueError, match=message):
        attach_forged(shared, lambda first_page: None, seals)


@linux_only
def test_an_object_that_is_larger_than_it_says(shared: vmem.Region) -> None:
    """Everybody who has it can make it grow. The others can still attach it, and use what belongs to it."""
    os.ftruncate(shared.fileno(), HEADER + shared.size + shared.page_size)
    attached = vmem.attach(shared.fileno())
    assert isinstance(attached, vmem.Region)
    assert attached.size == shared.size
    attached.commit()
    assert bytes(attached[0:5]) == b"hello"
    attached.release()


@linux_only
def test_a_region_behind_a_descriptor_that_only_reads(shared: vmem.Region) -> None:
    number = os.open(f"/proc/self/fd/{shared.fileno()}", os.O_RDONLY)
    before = find_traces()
    expected = f"cannot attach descriptor {number}: it was opened for reading only, and a region is written"
    with pytest.raises(PermissionError, match=expected):
        vmem.attach(number)
    assert find_traces() == before
    os.close(number)


@linux_only
def test_a_descriptor_that_only_writes(shared: vmem.Region) -> None:
    number = os.open(f"/proc/self/fd/{shared.fileno()}", os.O_WRONLY)
    with pytest.raises(PermissionError, match=f"cannot attach descriptor {number}: access denied"):
        vmem.attach(number)
    os.close(number)


@linux_only
def test_an_object_that_cannot_grow(shared: vmem.Region) -> None:
    """The seal comes from a forger: a real object cannot get it. Commits within its size work."""
    region = attach_forged(shared, lambda first_page: None, SEAL_SHRINK | SEAL_GROW | SEAL_SEAL)
    region.commit(0, region.page_size)
    before = region.ranges()
    with pytest.raises(OSError, match="cannot commit"):
        region.commit()
    assert region.ranges() == before
    region.release()


@linux_only
@pytest.mark.parametrize("round_number", range(40))
def test_random_first_pages(round_number: int, shared: vmem.Region) -> None:
    """They are refused, or describe a region that can be used."""
    import random

    source = random.Random(round_number)

    def change(first_page: bytearray) -> None:
        for _ in range(source.randrange(1, 4)):
            first_page[source.randrange(8, PAGE_SIZE)] = source.randrange(256)

    try:
        region = attach_forged(shared, change)
    except (ValueError, OSError):
        return
    region.commit(0, 1)
    region[0] = 1
    region.release()


# --- what others do to an object that is in use ---


@linux_only
def test_a_first_page_that_is_scribbled_over(shared: vmem.Region) -> None:
    """It is read once, so the regions that there are go on. Nobody can attach others."""
    other = vmem.attach(shared.fileno())
    assert isinstance(other, vmem.Region)
    os.pwrite(shared.fileno(), b"\xff" * HEADER, 0)
    for region in (shared, other):
        region.commit()
        region[-1] = 5
        assert region[-1] == 5
        assert region.name == "original"
    with pytest.raises(ValueError, match="its first bytes are others"):
        vmem.attach(shared.fileno())
    other.release()


@linux_only
def test_what_the_seals_forbid(shared: vmem.Region) -> None:
    number = shared.fileno()
    with pytest.raises(PermissionError):
        os.ftruncate(number, HEADER)
    for seal in (SEAL_GROW, SEAL_WRITE, SEAL_FUTURE_WRITE, SEAL_SHRINK):
        with pytest.raises(PermissionError):
            fcntl.fcntl(number, ADD_SEALS, seal)
    shared.commit()


@linux_only
def test_a_descriptor_that_cannot_write(shared: vmem.Region) -> None:
    number = os.open(f"/proc/self/fd/{shared.fileno()}", os.O_RDONLY)
    before = find_traces()
    try:
        with pytest.raises(PermissionError, match="cannot attach descriptor"):
            vmem.attach(number)
        assert find_traces() == before
    finally:
        os.close(number)


@linux_only
def test_pages_that_are_punched_out_read_zero(shared: vmem.Region, page: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    fallocate = libc.fallocate64  # with offsets of 64 bits, also on 32 bits
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
    shared.commit(0, 4 * page)
    shared[0 : 4 * page] = b"x" * (4 * page)
    assert fallocate(shared.fileno(), 3, HEADER, 4 * page) == 0
    assert bytes(shared[0 : 4 * page]) == bytes(4 * page)
    shared[0] = 1


# --- audit hooks ---

AUDIT = """
    import os, sys, vmem
    events = []
    action = None

    def hook(event, arguments):
        global action
        if event.startswith("vmem."):
            events.append((event, *arguments))
            if action:
                once, action = action, None
                once()

    page = vmem.get_page_size()
    region = vmem.reserve(4 * page, shared=True, name="seen")
    sys.addaudithook(hook)
"""


def test_attaching_is_audited_as_reserving_is() -> None:
    run_python(
        AUDIT
        + """
    vmem.attach(region.fileno()).release()
    vmem.reserve(page, shared=True, name="other").release()
    assert events == [("vmem.reserve", 4 * page, "seen"), ("vmem.reserve", page, "other")], events
    """
    )


@linux_only
def test_a_hook_that_refuses() -> None:
    run_python(
        AUDIT
        + """
    def refuse():
        raise PermissionError("vetoed")
    before = len(os.listdir("/proc/self/fd"))
    for call in (lambda: vmem.attach(region.fileno()), lambda: vmem.reserve(page, shared=True)):
        action = refuse
        try:
            call()
        except PermissionError:
            continue
        raise SystemExit("it raised nothing")
    assert len(os.listdir("/proc/self/fd")) == before
    """
    )


@linux_only
def test_a_hook_that_releases_what_is_attached() -> None:
    run_python(
        AUDIT
        + """
    region.commit(0, page)
    region[0:5] = b"hello"
    action = region.release
    other = vmem.attach(region.fileno())
    assert region.released
    other.commit(0, page)
    assert bytes(other[0:5]) == b"hello"
    """
    )
