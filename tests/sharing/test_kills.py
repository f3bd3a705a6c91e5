"""Writers and readers of shared arrays that are killed at random moments: what is left is a beginning, whole."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import vmem
from tests.programs.shared_writer import BLOCK, find_wrong, make_items
from tests.support.marks import linux_only, needs_shared_memory, posix_only, search
from tests.support.peers import Peer
from tests.support.processes import ROOT
from tests.support.system import mappings_in

pytestmark = [needs_shared_memory, posix_only]

ROUNDS = search(20, long=1000)


class Writer:
    """A process that fills a shared array, and the reader that this one has of it."""

    def __init__(self, seed: int) -> None:
        self.connection, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.programs.shared_writer", str(theirs.fileno()), str(seed)],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
            )
        _, descriptors, _, _ = socket.recv_fds(self.connection, 1, 1)
        with open(descriptors[0], "rb") as file:  # noqa: PTH123
            self.reader: Any = vmem.attach(file.fileno())

    def begin(self) -> None:
        self.connection.send(b"b")

    def wait(self, num_calls: int) -> None:
        while num_calls > 0:
            received = len(self.connection.recv(num_calls))
            assert received > 0
            num_calls -= received

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.connection.close()


@contextmanager
def writing(seed: int) -> Iterator[Writer]:
    writer = Writer(seed)
    try:
        yield writer
    finally:
        writer.end()


@pytest.mark.parametrize("num_rounds", ROUNDS)
def test_writers(num_rounds: int) -> None:
    """What was there before is there, and every item that can be read is whole."""
    numbers = random.Random(num_rounds)
    for seed in range(num_rounds):
        with writing(seed) as writer:
            writer.begin()
            writer.wait(numbers.randrange(1, 40))
            before = len(writer.reader)
            view = memoryview(writer.reader)
            writer.kill()
            length = len(writer.reader)
            assert length >= before
            assert find_wrong(writer.reader) is None
            assert view.tobytes() == writer.reader.tobytes()[: view.nbytes]
            assert len(writer.reader) == length


def test_readers_while_it_grows() -> None:
    """Several readers see a beginning of what is written, each time at least as much, until the writer is killed."""
    with writing(1) as writer, ExitStack() as stack:
        peers = [stack.enter_context(Peer(writer.reader.fileno())) for _ in range(2)]
        for peer in peers:
            peer.ask("from tests.programs.shared_writer import find_wrong, follow")
            peer.ask("len(array)")
        writer.begin()
        for peer in peers:
            peer.start("follow(array, 1_000_000)")
        num_looks = [peer.finish() for peer in peers]
        writer.kill()
        assert min(num_looks) > 1
        for peer in peers:
            assert peer.ask("len(array)") == len(writer.reader)
            assert peer.ask("find_wrong(array)") is None


@pytest.mark.parametrize("num_rounds", ROUNDS)
def test_readers(num_rounds: int) -> None:
    """The writer, and other readers, never notice."""
    numbers = random.Random(num_rounds)
    array: vmem.Array[int] = vmem.Array("Q", shared=True, capacity=1 << 24)
    with Peer(array.fileno()) as survivor:
        survivor.ask("from tests.programs.shared_writer import find_wrong")
        for _ in range(num_rounds):
            peer = Peer(array.fileno())
            peer.ask("views = []")
            peer.start("while True: views.append((len(array), memoryview(array), array[-100:])); del views[:-5]")
            for _ in range(numbers.randrange(20)):
                array.extend(make_items(len(array), numbers.randrange(BLOCK // 8)))
            peer.kill()
        assert survivor.ask("len(array)") == len(array)
        assert survivor.ask("find_wrong(array)") is None
    assert find_wrong(array) is None


@linux_only
def test_nothing_is_left_of_those_that_were_killed() -> None:
    """Neither a name, nor a descriptor or a mapping of this process, nor memory: the last user is gone."""

    def find_traces() -> tuple[set[Path], int, int]:
        num_mappings = sum("memfd:" in line for line in Path("/proc/self/maps").read_text().splitlines())
        names = {path for path in Path("/dev/shm").iterdir() if "vmem" in path.name}  # others come and go there
        return names, len(list(Path("/proc/self/fd").iterdir())), num_mappings

    before = find_traces()
    for seed in range(3):
        with writing(seed) as writer:
            writer.begin()
            writer.wait(5)
            writer.kill()
            assert mappings_in(writer.reader.buffer_info()[0], 1)
            del writer.reader
    assert find_traces() == before
