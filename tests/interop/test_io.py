"""Files and sockets read and write regions, arenas and arrays in place."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import os
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import vmem
from tests.support.marks import posix_only

SIZE = 20_000


@pytest.fixture
def region(page: int) -> vmem.Region:
    region = vmem.reserve(1 << 30)
    region.commit(0, vmem.align_forward(SIZE, page))
    return region


class Place(NamedTuple):
    """A view, and a function that reads the same bytes from its owner."""

    view: memoryview
    read: Callable[[], bytes]


def place_in_region() -> Place:
    region = vmem.reserve(1 << 20)
    region.commit(100, SIZE)
    return Place(region.view(100, SIZE), lambda: bytes(region[100 : 100 + SIZE]))


def place_in_arena() -> Place:
    view = vmem.Arena(1 << 20).alloc(SIZE)
    return Place(view, view.tobytes)


def place_in_array(typecode: str) -> Place:
    made: vmem.Array[Any] = vmem.Array(typecode, bytes(SIZE))
    return Place(memoryview(made), made.tobytes)


PLACES: dict[str, Callable[[], Place]] = {
    "region": place_in_region,
    "arena": place_in_arena,
    "array": lambda: place_in_array("B"),
    "array of numbers": lambda: place_in_array("i"),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param]()


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(os.urandom(SIZE // 2))
    return path


# --- files ---


@pytest.mark.parametrize("buffering", [0, 100])
def test_files_are_read_into_place(place: Place, data_file: Path, buffering: int) -> None:
    with data_file.open("rb", buffering=buffering) as file:
        assert file.readinto(place.view) == SIZE // 2  # type: ignore[attr-defined]
    assert place.read() == data_file.read_bytes() + bytes(SIZE // 2)


def test_files_are_written_from_place(place: Place, tmp_path: Path) -> None:
    place.view.cast("B")[:] = os.urandom(SIZE)
    for buffering in (0, -1):
        with (tmp_path / "written").open("wb", buffering=buffering) as file:
            assert file.write(place.view) == SIZE
        assert (tmp_path / "written").read_bytes() == place.read()
    assert io.BytesIO(place.view).read() == place.read()


@posix_only
def test_a_file_is_read_into_several_places(region: vmem.Region, data_file: Path) -> None:
    arena, numbers = vmem.Arena(1 << 20), vmem.Array("i", bytes(400))
    places = [region[0:1000], memoryview(numbers), arena.alloc(600)]
    with data_file.open("rb") as file:
        assert os.preadv(file.fileno(), places, 50) == 2000
        assert os.pread(file.fileno(), 2000, 50) == b"".join(places)
        assert os.readv(file.fileno(), [region[5000:5010], numbers]) == 410
    expected = data_file.read_bytes()
    assert bytes(region[5000:5010]) + numbers.tobytes() == expected[:410]
    assert bytes(region[0:1000]) == expected[50:1050]


@posix_only
def test_a_file_is_written_from_several_places(region: vmem.Region, data_file: Path) -> None:
    region[0:1000] = b"r" * 1000
    numbers = vmem.Array("B", b"n" * 400)
    with data_file.open("r+b") as file:
        assert os.pwritev(file.fileno(), [region[0:1000], numbers], 50) == 1400
        os.lseek(file.fileno(), 2000, os.SEEK_SET)
        assert os.writev(file.fileno(), [numbers, region[0:10]]) == 410
    written = data_file.read_bytes()
    assert written[50:1450] == b"r" * 1000 + b"n" * 400
    assert written[2000:2410] == b"n" * 400 + b"r" * 10
    region.release()
    numbers.clear()


# --- sockets ---


def test_sockets_receive_into_place(place: Place) -> None:
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.sendall(b"through the wire")
        assert receiver.recv_into(place.view) == 16
        sender.sendall(b"12345678")
        assert receiver.recvfrom_into(place.view.cast("B")[100:])[0] == 8
        assert place.read()[:108] == b"through the wire" + bytes(84) + b"12345678"
        receiver.sendall(place.view.cast("B")[4:108])
        assert sender.recv(SIZE) == place.read()[4:108]


@posix_only
def test_a_message_is_received_into_several_places(region: vmem.Region) -> None:
    numbers = vmem.Array("B", bytes(4))
    sender, receiver = socket.socketpair()
    with sender, receiver:
        assert sender.sendmsg([b"headbody", memoryview(b" and more")]) == 17
        assert receiver.recvmsg_into([numbers, region[0:100]])[0] == 17
    assert (numbers.tobytes(), bytes(region[0:13])) == (b"head", b"body and more")
    region.release()


# --- asyncio ---


class Receiver(asyncio.BufferedProtocol):
    """Receives into the buffers that a function returns for the number of bytes received so far."""

    def __init__(self, get_place: Callable[[int], memoryview]) -> None:
        self.get_place = get_place
        self.length = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.get_place(self.length)

    def buffer_updated(self, nbytes: int) -> None:
        self.length += nbytes

    def connection_lost(self, error: Exception | None) -> None:
        if error:
            self.ended.set_exception(error)
        else:
            self.ended.set_result(None)


async def serve(data: bytes, make_receiver: Callable[[], Receiver]) -> Receiver:
    """Sends the data over a connection, and returns the receiver when it has all of it."""

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(send, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
        _, receiver = await asyncio.get_running_loop().create_connection(make_receiver, *address)
        await receiver.ended
    return receiver


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, timeout=60))


def test_a_connection_fills_a_region_that_grows(page: int) -> None:
    data = os.urandom(1 << 20)
    region = vmem.reserve(1 << 30)
    early: list[memoryview] = []

    def get_place(offset: int) -> memoryview:
        if offset and not early:
            early.append(region.view(0, min(offset, 100)))
        if region.committed < offset + 4 * page:
            region.commit(region.committed, 4 * page)
        return region.view(offset, 4 * page)

    receiver = run(serve(data, lambda: Receiver(get_place)))
    assert receiver.length == len(data)
    assert bytes(region[0 : len(data)]) == data
    assert region.committed < len(data) + 8 * page
    assert early[0] == data[: len(early[0])]
    early[0].release()
    region.release()  # no view is alive


def test_a_connection_fills_an_arena_and_an_array() -> None:
    data = os.urandom(SIZE)
    message, made = vmem.Arena(1 << 20).alloc(SIZE + 1), vmem.Array("B")

    def append(offset: int) -> memoryview:
        made.extend(bytes(100 + offset - len(made)))
        return memoryview(made)[offset:]

    run(serve(data, lambda: Receiver(lambda offset: message[offset:])))
    assert message == data + b"\0"
    receiver = run(serve(data, lambda: Receiver(append)))
    del made[receiver.length :]
    assert made.tobytes() == data


def test_an_exception_of_get_buffer_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised where the end of the connection is awaited; the region keeps what it has received."""
    monkeypatch.setattr(logging.getLogger("asyncio"), "disabled", True)  # pytest keeps log records, frames too
    data = os.urandom(1 << 20)
    full = vmem.reserve(1)
    full.commit()

    def get_place(offset: int) -> memoryview:
        if offset == full.size:
            raise ValueError("full")
        return full.view(offset)

    with pytest.raises(ValueError, match="full"):
        run(serve(data, lambda: Receiver(get_place)))
    assert full[:] == data[: full.size]
    gc.collect()  # on Windows the frames of the exception hold the last view
    full.release()


@contextmanager
def connect() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets that do not block, as event loops require."""
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.setblocking(False)
        receiver.setblocking(False)
        yield sender, receiver


def test_tasks_receive_into_place(place: Place) -> None:
    async def receive() -> None:
        loop = asyncio.get_running_loop()
        with connect() as (sender, receiver):
            waiting = loop.create_task(loop.sock_recv_into(receiver, place.view))
            await loop.sock_sendall(sender, b"12345678")
            assert await waiting == 8

    run(receive())
    assert place.read()[:10] == b"12345678\0\0"


def test_a_task_pins_while_it_waits(region: vmem.Region) -> None:
    async def receive() -> None:
        loop = asyncio.get_running_loop()
        with connect() as (sender, receiver):
            waiting = loop.create_task(loop.sock_recv_into(receiver, region[0:100]))
            await asyncio.sleep(0)
            with pytest.raises(BufferError, match="1 view"):
                region.release()
            await loop.sock_sendall(sender, b"12345678")
            assert await waiting == 8

    run(receive())
    assert bytes(region[0:8]) == b"12345678"
    region.release()
