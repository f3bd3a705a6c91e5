"""Receives messages of all sizes, and parses them where they were received."""

import socket
import struct
import threading
from collections.abc import Iterator

import vmem

MAX_MESSAGE = 60_000
HEADER = struct.Struct("!I")  # each message is preceded by its size


class Messages:
    """The messages of a stream, as views that are valid until the next one."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.ring = vmem.Ring("B", MAX_MESSAGE + HEADER.size, overwrite=False)

    def receive(self) -> bool:
        """Receives what there is, behind the rest of before. False at the end."""
        num_received = self.connection.recv_into(self.ring.prepare(self.ring.free))
        self.ring.advance(num_received)
        return num_received > 0

    def __iter__(self) -> Iterator[memoryview]:
        while True:
            while len(self.ring) < HEADER.size:
                if not self.receive():
                    return
            (size,) = HEADER.unpack_from(self.ring)
            if size > MAX_MESSAGE:
                raise ValueError(f"a message of {size} bytes, of at most {MAX_MESSAGE}")
            while len(self.ring) < HEADER.size + size:
                if not self.receive():
                    raise EOFError("the stream ends in the middle of a message")
            # In one piece, also beyond the end of the memory.
            yield self.ring.window(self.ring.oldest + HEADER.size, size)
            self.ring.consume(HEADER.size + size)


def main() -> None:
    sizes = [(number * 7919) % MAX_MESSAGE for number in range(500)]
    ours, theirs = socket.socketpair()

    def send() -> None:
        with theirs:
            for number, size in enumerate(sizes):
                theirs.sendall(HEADER.pack(size) + bytes([number % 256]) * size)

    sender = threading.Thread(target=send)
    sender.start()
    with ours:
        messages = Messages(ours)
        num_bytes = 0
        for number, message in enumerate(messages):
            assert message == bytes([number % 256]) * sizes[number]
            num_bytes += len(message)
    sender.join()
    assert num_bytes == sum(sizes)
    assert messages.ring.free == messages.ring.capacity
    print(f"{len(sizes)} messages, {num_bytes >> 20} MiB")


main()
