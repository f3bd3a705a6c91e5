"""A region that grows while asyncio receives into it, and messages in an arena."""

import asyncio
import socket
import struct

import vmem

STEP = 1 << 20  # memory is committed in multiples of this
READ_SIZE = 1 << 18  # the most that one read returns
NUMBERS = struct.pack("1000q", *range(1000)) * 1000


class Receiver(asyncio.BufferedProtocol):
    """Appends received data to a region. Nothing is copied, and nothing moves."""

    def __init__(self) -> None:
        self.region = vmem.reserve(1 << 30)
        self.length = 0
        self.started = asyncio.get_running_loop().create_future()
        self.ended = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> memoryview:
        missing = self.length + READ_SIZE - self.region.committed
        if missing > 0:
            size = vmem.align_forward(missing, STEP)
            self.region.commit(self.region.committed, size)
        return self.region.view(self.length, READ_SIZE)

    def buffer_updated(self, nbytes: int) -> None:
        self.length += nbytes
        if self.length >= 8000 and not self.started.done():
            self.started.set_result(self.region.view(0, 8000).cast("q"))

    def connection_lost(self, error: Exception | None) -> None:
        if error:
            self.ended.set_exception(error)
        else:
            self.ended.set_result(None)


async def receive_a_stream() -> None:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(NUMBERS[:10_000])
        await reader.readexactly(1)  # until the receiver has an early view
        writer.write(NUMBERS[10_000:])
        await writer.drain()
        writer.close()

    loop = asyncio.get_running_loop()
    async with await asyncio.start_server(send, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
        transport, receiver = await loop.create_connection(Receiver, *address)
        early = await receiver.started
        transport.write(b"!")
        await receiver.ended

    # The early view is still valid after all the data received since.
    assert early.tolist() == list(range(1000))
    assert receiver.length == len(NUMBERS)
    with receiver.region.view(0, receiver.length) as received:
        assert received == NUMBERS
    early.release()
    receiver.region.release()  # asyncio keeps no view


async def receive_messages() -> None:
    """Receives messages, each preceded by its size."""

    async def receive(size: int) -> memoryview:
        message = arena.alloc(size, zero=False)
        missing = message
        while missing:
            num_bytes = await loop.sock_recv_into(receiver, missing)
            assert num_bytes, "the peer closed the connection"
            missing = missing[num_bytes:]
        await asyncio.sleep(0)  # until a Windows event loop drops its view
        return message

    loop = asyncio.get_running_loop()
    arena = vmem.Arena(1 << 28)
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.setblocking(False)
        receiver.setblocking(False)
        for text in (b"hello", b"x" * 1_000_000):
            message = struct.pack("I", len(text)) + text
            sending = loop.create_task(loop.sock_sendall(sender, message))
            with await receive(4) as head:
                (size,) = struct.unpack("I", head)
            with await receive(size) as received:
                assert received == text
            await sending
            arena.reset()


asyncio.run(receive_a_stream())
asyncio.run(receive_messages())
print(len(NUMBERS), "bytes and two messages received without a copy")
