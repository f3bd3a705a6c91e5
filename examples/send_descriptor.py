"""Two programs that know each other only by a socket read the same array."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import vmem


def read(address: str) -> None:
    """The second program: receives a descriptor and attaches what it stands for."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        _, (fd,), _, _ = socket.recv_fds(connection, 1, 1)
        samples = vmem.attach(fd)
        os.close(fd)  # attach() has duplicated it
        assert isinstance(samples, vmem.Array)
        assert samples.readonly

        # The socket carries a byte for each addition, since nothing wakes readers.
        while connection.recv(1):
            print(len(samples), "samples, sum", sum(samples), flush=True)
            connection.send(b"r")


def record(address: str) -> None:
    """The first program: sends the descriptor, and then goes on writing."""
    samples = vmem.Array("q", shared=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        reader = subprocess.Popen([sys.executable, __file__, address])
        connection, _ = listener.accept()
    with connection:
        socket.send_fds(connection, [b"a"], [samples.fileno()])
        for number in range(1, 4):
            samples.extend([number] * 1000)
            connection.send(b"w")
            assert connection.recv(1) == b"r"
    assert reader.wait() == 0


if len(sys.argv) > 1:
    read(sys.argv[1])
else:
    with tempfile.TemporaryDirectory() as folder:
        record(str(Path(folder, "socket")))
