"""Shared tables: one process writes, others read; forks, kills, forged memory and limits."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import mmap
import os
import pickle
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vmem
from tests.programs.table_writer import COLUMNS, make_row
from tests.support.marks import linux_only, needs_shared_memory, posix_only, search
from tests.support.peers import Peer
from tests.support.processes import ROOT, run_python
from tests.support.streams import Column, Producer, next_batch, stream_in
from tests.support.system import mappings_in
from vmem import _vmem

pytestmark = needs_shared_memory

HEADER = vmem.get_allocation_granularity()
LENGTH, NUM_BYTES, ITEM_SIZE, NUM_DIMS, ROW_SHAPE = 384, 32, 40, 48, 64  # where they are in the first page

READ_ONLY = "^this table is read-only: the process that made it writes$"
APPEND_ONLY = "^this table is append-only, because other processes may read it: no clear"


def attach(table: vmem.Table) -> vmem.Table:
    reader: vmem.Table = _vmem.attach(table._get_handle(), (vmem.Table,))
    return reader


def add_rows(table: vmem.Table, count: int) -> None:
    rows = [make_row(number) for number in range(len(table), len(table) + count)]
    table.extend([list(each) for each in zip(*rows, strict=True)])


def check(reader: vmem.Table, count: int) -> None:
    assert list(reader) == [make_row(number) for number in range(count)]


@pytest.fixture
def writer() -> vmem.Table:
    return vmem.Table(COLUMNS, capacity=1 << 20, shared=True)


# --- in one process ---


def test_readers_follow_the_writer(writer: vmem.Table) -> None:
    reader = attach(writer)
    assert (writer.readonly, reader.readonly, len(reader)) == (False, True, 0)
    assert (reader.names, reader.capacity) == (writer.names, writer.capacity)
    assert [reader[name].type for name in reader.names] == list(COLUMNS.values())
    column, rows = reader["text"], reader[:10]
    for number in range(100):
        writer.append(*make_row(number))
        assert reader[-1] == make_row(number)
        assert len(column) == len(reader) == number + 1
    add_rows(writer, 5000)
    check(reader, 5100)
    check(attach(writer), 5100)
    assert len(rows) == 0  # a view has the rows that there were
    assert reader["number"].tolist() == list(range(5100))
    assert np.asarray(reader["number"]).tolist() == list(range(5100))
    assert reader["text"].values.tobytes() == writer["text"].values.tobytes()
    assert reader["text"].offsets == writer["text"].offsets
    assert reader["half"].validity == writer["half"].validity
    assert reader.map().committed > 0


@pytest.mark.parametrize("kind", ["b", "Q", "l", "f", "?", "M8[ns]", "m8[s]", "str", "bytes"])
def test_every_kind(kind: str) -> None:
    others: dict[str, list[Any]] = {"?": [True, False], "str": ["a", "größe"], "bytes": [b"", b"abc"]}
    items = others.get(kind, [1, 2])
    table = vmem.Table({"größe": kind, "": f"{kind}|None"}, shared=True)
    reader = attach(table)
    for _ in range(1000):
        table.extend([items, [None, items[0]]])
    assert reader["größe"].tolist() == items * 1000
    assert reader[""].tolist() == [None, items[0]] * 1000


def test_readers_change_nothing_and_writers_only_add(writer: vmem.Table) -> None:
    writer.append(*make_row(0))
    reader = attach(writer)
    calls: list[Callable[[], object]] = [
        lambda: reader.append(*make_row(1)),
        lambda: reader.extend([[], [], [], []]),
        reader.clear,
        reader.shrink_to_fit,
    ]
    for call in calls:
        with pytest.raises(TypeError, match=READ_ONLY):
            call()
    with pytest.raises(TypeError, match=APPEND_ONLY):
        writer.clear()
    committed = writer.map().committed
    writer.shrink_to_fit()
    assert writer.map().committed == committed
    with pytest.raises(TypeError, match="cannot pickle a shared 'Table' object"):
        pickle.dumps(writer)
    check(reader, 1)


def test_a_failed_call_publishes_nothing(writer: vmem.Table) -> None:
    reader = attach(writer)
    add_rows(writer, 10)
    with pytest.raises(TypeError):
        writer.append(10, "half", "x", True)
    with pytest.raises(OverflowError):
        writer.extend([[1, 2**63], [1.0, 2.0], ["a", "b"], [True, False]])
    check(reader, 10)


@posix_only
def test_private_tables_have_no_descriptor() -> None:
    with pytest.raises(ValueError, match="not shared"):
        vmem.Table({"a": "i"}).fileno()


def test_exports_of_readers(writer: vmem.Table) -> None:
    arrow: Any = pytest.importorskip("pyarrow")
    reader = attach(writer)
    add_rows(writer, 100)
    taken = arrow.table(reader)
    taken.validate(full=True)
    assert taken.num_rows == 100
    assert taken["text"].to_pylist() == writer["text"].tolist()
    assert taken["half"].null_count == writer["half"].tolist().count(None)
    copied = vmem.Table(COLUMNS)
    copied.extend(reader)
    check(copied, 100)
    del reader, writer
    gc.collect()
    taken.validate(full=True)


@linux_only
def test_nothing_is_left_behind(writer: vmem.Table) -> None:
    add_rows(writer, 100)
    gc.collect()
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    place = writer.map()
    readers = [attach(writer) for _ in range(10)]
    views = [memoryview(each["number"]) for each in readers]
    places = [each.map() for each in readers]
    del readers
    gc.collect()
    assert {view[99] for view in views} == {99}
    del views
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == files  # noqa: PTH208
    assert not any(mappings_in(each.address, each.size) for each in places)
    assert mappings_in(place.address, place.size)


def test_threads_of_readers(writer: vmem.Table) -> None:
    errors: list[BaseException] = []
    done = threading.Event()

    def look() -> None:
        reader = attach(writer)
        try:
            while not done.is_set():
                length = len(reader)
                if length:
                    assert reader[length - 1] == make_row(length - 1)
                    assert reader["text"][length // 2] == make_row(length // 2)[2]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for each in threads:
        each.start()
    for _ in range(100):
        add_rows(writer, 37)
        writer.append(*make_row(len(writer)))
    done.set()
    for each in threads:
        each.join()
    assert not errors
    check(attach(writer), 3800)


# --- other processes ---


@posix_only
def test_a_peer_that_inherits_the_descriptor(writer: vmem.Table) -> None:
    add_rows(writer, 10)
    with Peer(writer.fileno()) as peer:
        assert peer.ask("(array.readonly, len(array), tuple(array[9]))") == (True, 10, make_row(9))
        add_rows(writer, 1000)
        assert peer.ask("[tuple(each) for each in array]") == [make_row(number) for number in range(1010)]
        assert "read-only" in peer.fail("array.append(1, 2.0, 'x', True)")
        assert peer.ask("array['number'].values.readonly")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_sends_tables(method: str) -> None:
    if method != "spawn" and sys.platform == "win32":
        pytest.skip("Windows only spawns")
    run_python(
        f"""
import multiprocessing, vmem

if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    table = vmem.Table({{"a": "q", "b": "str|None"}}, shared=True)
    table.extend([[1, 2], ["x", None]])
    with context.Pool(1) as pool:
        assert pool.apply(list, (table,)) == [(1, "x"), (2, None)]
        table.append(3, "y")
        assert pool.apply(len, (table,)) == 3
        pool.close()
        pool.join()
    receiver, sender = context.Pipe(duplex=False)
    sender.send(table)
    received = receiver.recv()
    assert received.readonly and received[2] == (3, "y")
"""
    )


FORK = """
    import gc, os, vmem
    import numpy as np
    from tests.programs.table_writer import COLUMNS, make_row

    def in_child(check):
        child = os.fork()
        if child == 0:
            try:
                check()
            except BaseException as error:
                print("child:", type(error), error, error.__traceback__.tb_next.tb_lineno, flush=True)
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def add_rows(count):
        rows = [make_row(number) for number in range(len(table), len(table) + count)]
        table.extend([list(each) for each in zip(*rows)])

    def is_refused(call):
        try:
            call()
        except TypeError as error:
            assert "read-only" in str(error), error
        else:
            raise AssertionError("it was not refused")

    table = vmem.Table(COLUMNS, shared=True)
    add_rows(1000)
    rows = [make_row(number) for number in range(1000)]
"""


@posix_only
def test_a_forked_child_reads_and_the_parent_writes_on() -> None:
    run_python(
        FORK
        + """
    (ready, begin), (receiver, sender) = os.pipe(), os.pipe()
    def check():
        assert table.readonly and list(table) == rows
        is_refused(lambda: table.append(*make_row(1000)))
        is_refused(table.clear)
        is_refused(lambda: table.extend(table))
        os.close(sender)  # or else it would wait for a parent that has failed
        os.write(begin, b"x")
        os.read(receiver, 1)
        assert len(table) == 50_001 and table[-1] == make_row(50_000)
        assert table["text"].tolist() == [make_row(number)[2] for number in range(50_001)]
        assert table.map().committed > 0
    child = os.fork()
    if child == 0:
        try:
            check()
            os._exit(0)
        finally:
            os._exit(1)
    os.read(ready, 1)
    add_rows(49_000)
    table.append(*make_row(50_000))
    os.write(sender, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """
    )


@linux_only
def test_views_from_before_a_fork_show_what_they_showed() -> None:
    run_python(
        FORK
        + """
    view, texts, array = memoryview(table["number"]), table["text"].values, np.asarray(table["half"].values)
    pointer = np.ndarray(1000, "q", buffer=table["number"])
    shown, half = texts.tobytes(), array.tobytes()
    exported = table.__arrow_c_stream__()
    (ready, begin), (receiver, sender) = os.pipe(), os.pipe()
    def check():
        gc.collect()
        new = memoryview(table["number"])
        assert view.tolist() == pointer.tolist() == new.tolist() == list(range(1000))
        assert texts.tobytes() == shown and array.tobytes() == half
        in_child(lambda: view.tolist() == new.tolist() == list(range(1000)) and list(table) == rows or 1 / 0)
        del new
        again = vmem.Table({"a": "i"}, shared=True)
        again.append(5)
        in_child(lambda: again[0] == (5,) or 1 / 0)
    in_child(check)
    add_rows(10)
    assert len(table) == 1010
    """
    )


@posix_only
def test_a_conversion_that_forks() -> None:
    """The child becomes a reader in the middle of the call, which then changes nothing there."""
    run_python(
        FORK
        + """
    class Forking:
        def __float__(self):
            self.child = os.fork()
            return 1.0
    forking = Forking()
    try:
        table.append(5, forking, "x", True)
    except TypeError as error:
        assert forking.child == 0 and "read-only" in str(error), error
        os._exit(0 if list(table)[:1000] == rows else 1)
    if forking.child == 0:
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(forking.child, 0)[1]) == 0
    assert len(table) == 1001
    """
    )


@linux_only
@pytest.mark.parametrize("num_rounds", search(10, long=500))
def test_killed_writers_leave_whole_rows(num_rounds: int) -> None:
    numbers = random.Random(num_rounds)
    for seed in range(num_rounds):
        connection, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.programs.table_writer", str(theirs.fileno()), str(seed)]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT)
        with connection:
            _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
            reader = vmem.attach(descriptors[0])
            os.close(descriptors[0])
            assert isinstance(reader, vmem.Table)
            for _ in range(numbers.randrange(1, 20)):
                assert connection.recv(1)
            before = len(reader)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        after = len(reader)
        assert after >= before > 0
        check(reader, after)


# --- forged memory ---

ADD_SEALS, SEALS = 1033, 1 | 2 | 16  # SEAL, SHRINK, FUTURE_WRITE


class Forger:
    """Somebody who made an object like that of a table, and can write all of it at any time."""

    def __init__(
        self, change: Callable[[bytearray], object] = lambda contents: None, table: vmem.Table | None = None
    ) -> None:
        import fcntl

        if table is None:
            table = vmem.Table({"a": "q", "s": "str"}, capacity=1000, shared=True)
            table.extend([range(100), ["abcd"] * 100])
        size = os.fstat(table.fileno()).st_size
        data = [(part.offset, part.num_bytes) for part in table.map().parts if part.committed]
        self.places = [HEADER + start + shift for start, count in data for shift in range(0, count, HEADER)]
        contents = bytearray(os.pread(table.fileno(), HEADER, 0))
        header = bytearray(os.pread(table.fileno(), data[0][1], HEADER))
        both = contents + header
        change(both)
        self.number = os.memfd_create("forged", os.MFD_ALLOW_SEALING)
        os.ftruncate(self.number, size)
        for start, count in data:
            os.pwrite(self.number, os.pread(table.fileno(), count, HEADER + start), HEADER + start)
        os.pwrite(self.number, both, 0)
        self.memory = mmap.mmap(self.number, size)  # most of it has no memory, and must not be read
        fcntl.fcntl(self.number, ADD_SEALS, SEALS)

    def attach(self) -> vmem.Table:
        reader = vmem.attach(self.number)
        assert isinstance(reader, vmem.Table)
        return reader

    def set_word(self, offset: int, word: int) -> None:
        self.memory[offset : offset + 8] = struct.pack("=Q", word & (2**64 - 1))

    def close(self) -> None:
        self.memory.close()
        os.close(self.number)


def find_offsets(forger: Forger) -> int:
    return next(each for each in forger.places if forger.memory[each + 8 : each + 24] == struct.pack("=2q", 4, 8))


def use(reader: vmem.Table) -> None:
    """Calls everything that reads: it may raise ValueError for texts, and never crashes."""
    for call in (
        lambda: list(reader),
        lambda: reader["s"].tolist(),
        lambda: reader["s"].values.tobytes(),
        lambda: reader["s"][5:].offsets,
        lambda: np.asarray(reader["a"]).sum(),
        lambda: [reader[i] for i in range(-2, 2) if -len(reader) <= i < len(reader)],
        lambda: reader.__arrow_c_stream__(),
        lambda: repr(reader),
    ):
        with contextlib.suppress(ValueError):
            call()
    assert len(reader) <= reader.capacity
    assert reader["a"].tolist()[:100] == list(range(100))


@linux_only
def test_an_honest_copy() -> None:
    forger = Forger()
    reader = forger.attach()
    assert list(reader) == [(number, "abcd") for number in range(100)]
    use(reader)
    forger.close()


@linux_only
@pytest.mark.parametrize("length", [0, 50, 101, 1000, 1001, 2**31, 2**63 - 1, 2**63, 2**64 - 1])
def test_lengths_that_are_wrong(length: int) -> None:
    forger = Forger()
    early = forger.attach()
    use(early)
    forger.set_word(LENGTH, length)
    use(early)
    assert len(early) >= 100
    late = forger.attach()
    assert len(late) <= 1000
    for call in (lambda: list(late), lambda: late["s"].tolist(), lambda: late["s"].values.tobytes()):
        with contextlib.suppress(ValueError):
            call()
    forger.close()


@linux_only
@pytest.mark.parametrize("word", [2**63, -1, 5, 10**6, 2**40, 2**62])
@pytest.mark.parametrize("index", [0, 1, 50, 100])
def test_offsets_that_are_wrong(word: int, index: int) -> None:
    forger = Forger()
    early = forger.attach()
    use(early)
    offsets = find_offsets(forger)
    forger.set_word(offsets + 8 * index, word)
    use(early)
    late = forger.attach()
    with contextlib.suppress(ValueError):
        list(late)
    assert len(late) in (0, 100)
    forger.close()


@linux_only
@pytest.mark.parametrize("word", [-1, 401, 10**6, 2**40, 2**63 - 1])
@pytest.mark.parametrize("index", [50, 99, 100])
def test_extending_by_wrong_offsets_changes_nothing(word: int, index: int) -> None:
    """Only texts that the reader knows are read: neither what follows them nor what is past the object."""
    forger = Forger()
    reader = forger.attach()
    assert len(reader) == 100
    early = reader.__arrow_c_stream__()
    forger.set_word(find_offsets(forger) + 8 * index, word)
    table = vmem.Table({"a": "q", "s": "str"}, capacity=1000)
    table.append(1, "x")

    class Early:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return early

    for source in (reader, reader[:index], Early()):
        with pytest.raises(ValueError, match=r"malformed: offsets of texts|are said to end at byte"):
            table.extend(source)
    assert list(table) == [(1, "x")]
    rows = reader[:index]
    for call in (rows.__arrow_c_stream__, rows["s"].__arrow_c_array__):
        with pytest.raises(ValueError, match=f"the texts of column 's' are said to end at byte {word} of 400"):
            call()
    forger.close()


@linux_only
@pytest.mark.parametrize("kind", ["str", "bytes"])
def test_offsets_that_change_in_the_middle_of_extending(kind: str) -> None:
    """The writer strikes when the batch has been taken, and is not stored yet."""
    table = vmem.Table({"a": "q", "s": kind}, capacity=1000, shared=True)
    table.extend([range(100), ["abcd" if kind == "str" else b"abcd"] * 100])
    expected = list(table)
    forger = Forger(table=table)
    reader = forger.attach()
    assert list(reader) == expected

    class Changing(Producer):
        def on_get_next(self, _: int, out: Any) -> int:
            if self.next == 0:
                batch = next_batch(stream_in(reader.__arrow_c_stream__()))
                ctypes.memmove(out, ctypes.addressof(batch), ctypes.sizeof(batch))
            else:
                forger.set_word(find_offsets(forger) + 8 * 50, 2**40)
                forger.set_word(find_offsets(forger) + 8 * 100, 2**40)
                out.contents.release = None
            self.next += 1
            return 0

    table = vmem.Table({"a": "q", "s": kind}, capacity=1000)
    columns = [Column(b"l", [], 0, name=b"a"), Column(b"U" if kind == "str" else b"Z", [], 0, name=b"s")]
    table.extend(Changing([], schema=columns))
    assert list(table) == expected
    forger.close()


def put_word(offset: int, word: int) -> Callable[[bytearray], None]:
    def change(contents: bytearray) -> None:
        contents[offset : offset + 8] = struct.pack("=Q", word)

    return change


def put_header(data: bytes) -> Callable[[bytearray], None]:
    def change(contents: bytearray) -> None:
        contents[HEADER : HEADER + len(data)] = data

    return change


WRONG: dict[str, Callable[[bytearray], None]] = {
    "no columns": put_word(ROW_SHAPE, 0),
    "too many columns": put_word(ROW_SHAPE, 3),
    "very many columns": put_word(ROW_SHAPE, 2**62),
    "another capacity": put_word(ROW_SHAPE + 8, 10**6),
    "a huge capacity": put_word(ROW_SHAPE + 8, 2**62),
    "other texts": put_word(ROW_SHAPE + 16, 5),
    "huge texts": put_word(ROW_SHAPE + 16, 2**62),
    "a short description": put_word(ITEM_SIZE, 3),
    "a huge description": put_word(ITEM_SIZE, 2**62),
    "no description": put_word(ITEM_SIZE, 0),
    "another size": put_word(NUM_BYTES, 10**6),
    "no type": put_header(b"a\0x\0s\0str\0"),
    "no end": put_header(b"x" * 100),
    "not UTF-8": put_header(b"\xff\0q\0s\0str\0"),
    "one name twice": put_header(b"s\0q\0s\0str\0"),
    "other types": put_header(b"a\0d\0s\0b\0\0\0"),
}


@linux_only
@pytest.mark.parametrize("name", WRONG)
def test_descriptions_that_are_wrong(name: str) -> None:
    forger = Forger(WRONG[name])
    gc.collect()
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises((ValueError, vmem.OutOfMemoryError)):
        forger.attach()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == files  # noqa: PTH208
    forger.close()


@linux_only
@pytest.mark.parametrize("seed", range(200))
def test_random_descriptions(seed: int) -> None:
    numbers = random.Random(seed)

    def change(contents: bytearray) -> None:
        for _ in range(numbers.randrange(1, 5)):
            places = (range(NUM_BYTES, LENGTH + 8), range(HEADER, HEADER + 12))
            contents[numbers.choice(numbers.choice(places))] = numbers.randrange(256)

    forger = Forger(change)
    with contextlib.suppress(ValueError, vmem.OutOfMemoryError):
        reader = forger.attach()
        with contextlib.suppress(ValueError):
            list(reader)
        reader["a" if "a" in reader.names else reader.names[0]].tolist()
    forger.close()


# --- limits ---


@linux_only
@pytest.mark.exact_memory
def test_the_file_size_limit_refuses_growth_and_changes_nothing() -> None:
    run_python(
        """
    import resource, vmem
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    table = vmem.Table({"a": "q", "s": "str"}, capacity=1 << 20, shared=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    reader = vmem.attach(table.fileno())
    for add in (lambda: table.extend([[1], ["x"]]), lambda: table.append(2, "y")):
        try:
            add()
        except vmem.OutOfMemoryError as error:
            assert "RLIMIT_FSIZE" in str(error), error
        else:
            raise AssertionError
        assert list(reader) == list(table) == []
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    table.append(2, "y")
    assert reader[0] == (2, "y")
    """
    )


@linux_only
@pytest.mark.exact_memory
def test_a_table_fits_the_file_size_limit() -> None:
    """All of its columns lie in one object: by default they have what it allows; larger capacities are refused."""
    run_python(
        """
    import resource, vmem
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    columns = {"größe": "q|None", "s": "str", "b": "?", "t": "bytes|None"}
    for limit in (1 << 20, 1 << 24):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        table = vmem.Table(columns, shared=True)
        assert 1000 < table.capacity and limit * 0.9 < table.map().size < limit, (table.capacity, table.map().size)
        count = table.capacity
        half = bytes(count // 2)
        texts, raw = ["x" * (count // 2), *[""] * (count - 1)], [half] * 2 + [None] * (count - 2)
        table.extend([[None] * count, texts, [True] * count, raw])
        assert len(vmem.attach(table.fileno())) == count
        try:
            table.append(1, "", True, b"")
        except vmem.OutOfMemoryError as error:
            assert f"capacity of {count} rows to {count + 1}" in str(error), error
        table = vmem.Table(columns, capacity=1000, shared=True)
        table.extend([range(1000), ["abc"] * 1000, [True] * 1000, [bytes(limit // 3), *[None] * 999]])
        try:
            vmem.Table({"a": "q", "s": "str"}, capacity=limit // 8, shared=True)
        except vmem.OutOfMemoryError as error:
            for number in (limit // 8, limit):
                assert f" {number} " in str(error), error
            assert "RLIMIT_FSIZE" in str(error) and "smaller capacity" in str(error), error
        else:
            raise AssertionError
        assert vmem.Table(columns).map().size > 1 << 30  # the limit is no limit of private memory
    """
    )
