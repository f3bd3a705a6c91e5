"""Other processes that have the shared memory of this one, or its files."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

import vmem
from tests.support.processes import ROOT
from vmem import _vmem

PROGRAM = """
import sys, vmem
names = {"vmem": vmem}
if len(sys.argv) > 1:
    names["array"] = vmem.attach(int(sys.argv[1]))
for line in sys.stdin:
    try:
        code = eval(line)
        try:
            expression = compile(code, "peer", "eval")
        except SyntaxError:
            exec(code, names)
            print((True, None), flush=True)
        else:
            print((True, eval(expression, names)), flush=True)
    except Exception as error:
        print((False, f"{type(error).__name__}: {error}"), flush=True)
"""


class Peer:
    """Another Python. One that was started with a descriptor has attached it as `array`."""

    def __init__(self, descriptor: int | None = None) -> None:
        descriptors = [] if descriptor is None else [descriptor]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, descriptors)],
            pass_fds=descriptors,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    def start(self, code: str) -> None:
        """Lets it run code without waiting for the end."""
        assert self.process.stdin
        self.process.stdin.write(repr(code) + "\n")
        self.process.stdin.flush()

    def ask(self, code: str) -> Any:
        """What an expression is there; None for statements."""
        self.start(code)
        return self.finish()

    def finish(self) -> Any:
        """What was started has given."""
        succeeded, answer = self.read()
        assert succeeded, answer
        return answer

    def fail(self, code: str) -> str:
        """The error that code raises there."""
        self.start(code)
        succeeded, answer = self.read()
        assert not succeeded, answer
        return str(answer)

    def read(self) -> tuple[bool, Any]:
        assert self.process.stdout
        succeeded, answer = ast.literal_eval(self.process.stdout.readline())
        return succeeded, answer

    def kill(self) -> None:
        self.process.kill()
        with self.process:
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self.process:  # closes its input, at which it ends
            pass
        assert kind is not None or self.process.returncode == 0


def attach_array(array: vmem.Array[Any]) -> vmem.Array[Any]:
    """A reader of a shared array in this process, on every system."""
    reader: vmem.Array[Any] = _vmem.attach(array._get_handle(), (vmem.Array,))
    return reader
