"""Makes every system call of an array in a file fail, and ends a process at each. Run by test_refusals.py."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import vmem
from tests.programs.refusals import MIB, PAGE, Explorer, Plan, explore_case, num_files

HEADER_BYTES = 128  # of the .npy files that are made here
NUMBERS = np.arange(1, 1001, dtype="q")
MORE = np.arange(1001, 3001, dtype="q")
MANY = np.arange(1001, 1001 + 4 * MIB // 8, dtype="q")
KILL = 1000  # in the place of an error: tests/programs/fail_on_demand.c ends the process

File = vmem.FileArray[int]


def class_of_file(error: int) -> type[Exception]:
    """A full disk is not a lack of memory."""
    return vmem.OutOfMemoryError if error == errno.ENOMEM else type(OSError(error, ""))


def read_items(path: Path) -> bytes:
    return path.read_bytes()[HEADER_BYTES if path.suffix == ".npy" else 0 :]


def load(path: Path) -> bytes:
    """What other programs find in it when it was flushed."""
    return np.load(path).tobytes() if path.suffix == ".npy" else path.read_bytes()


@dataclass
class OnFile(Explorer):
    """Something that is done with a file, which is raw or one of NumPy."""

    ending: str
    reads_too: bool = False
    also_raised: tuple[type[Exception], ...] = (OSError, MemoryError, vmem.OutOfMemoryError, NotImplementedError)

    def __post_init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, f"a.{self.ending}")
        self.done: bytes | None = None

    def class_of(self, error: int) -> type[Exception]:
        return class_of_file(error)

    def warm_up(self) -> None:
        super().warm_up()
        self.make().close()

    def make(self) -> File:
        """A new file with some items, which others see."""
        self.path.unlink(missing_ok=True)
        made: File = vmem.open_array(self.path, "q", mode="x")
        made.extend(NUMBERS)
        made.flush(durable=False)
        return made

    def is_unknown(self, plan: Plan, calls: list[str]) -> bool:
        """Whether the system did not say what a descriptor is."""
        return any(call == "statx" and plan.error_of(index) for index, call in enumerate(calls))

    def close_unknown(self, plan: Plan, calls: list[str]) -> None:
        """Closes what was not closed then, because it might be somebody else's."""
        unknown = self.is_unknown(plan, calls)
        for each in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # of the listing
                if str(each.readlink()).startswith(self.folder.name):
                    assert unknown
                    os.close(int(each.name))


@dataclass
class FileCall(OnFile):
    """A call that adds items, or writes them to the file. What fails has changed nothing."""

    call: Callable[[File], object] = len
    is_durable: bool = False  # whether it waits for the disk
    num_opened: int = 0

    def try_once(self, plan: Plan) -> list[str]:
        files = num_files()
        made = self.make()
        made.append(1001)  # is not flushed
        before, view = made.tobytes(), memoryview(made)
        calls, raised = self.call_with(plan, partial(self.call, made))
        assert raised or ("fdatasync" in calls) == self.is_durable
        if raised:
            assert made.tobytes() == before
            assert (self.path.stat().st_size - HEADER_BYTES * (self.ending == "npy")) % 8 == 0
            assert load(self.path).startswith(NUMBERS.tobytes())
            self.call(made)
        after = made.tobytes()
        if self.done is None:
            self.done = after
        assert after == self.done
        assert read_items(self.path).startswith(after)
        assert view.tobytes() == before
        made.append(5)
        made.close()
        assert load(self.path) == after + np.array([5], "q").tobytes()
        assert made.tobytes() == load(self.path)
        del made, view  # until then a descriptor is kept that can only read
        assert num_files() == files
        return calls


@dataclass
class Close(OnFile):
    """A call of close(). It lets others write, whatever fails, and loses nothing that was flushed."""

    num_opened = -1

    def try_once(self, plan: Plan) -> list[str]:
        files = num_files()
        made = self.make()
        made.extend(MORE)
        items, view = made.tobytes(), memoryview(made)
        calls, raised = self.call_with(plan, made.close)
        assert raised or "fdatasync" in calls
        if raised:
            with suppress(ValueError):  # closed
                made.close()
        assert made.tobytes() == view.tobytes() == items
        del made, view  # until then a descriptor is kept, and the mapping has a lock that could not be let go
        self.close_unknown(plan, calls)
        assert num_files() == files
        assert load(self.path).startswith(NUMBERS.tobytes())
        assert read_items(self.path).startswith(items)
        with vmem.open_array(self.path, "q", mode="a") as other:
            assert other.tobytes().startswith(NUMBERS.tobytes())
            assert raised or other.tobytes() == items
        return calls

    def call_with(self, plan: Plan, call: Callable[[], object]) -> tuple[list[str], Exception | None]:
        """The descriptor is closed in any case."""
        raised = None
        self.faults.arm(plan)
        try:
            call()
        except (OSError, ValueError, NotImplementedError) as error:
            raised = error.with_traceback(None)
        finally:
            calls = self.faults.disarm()
        self.num_cases += 1
        return calls, raised


@dataclass
class DropFile(Close):
    """Drops the last reference to an open array: nothing can be raised."""

    def try_once(self, plan: Plan) -> list[str]:
        files = num_files()
        things = [self.make()]
        things[0].extend(MORE)
        items = things[0].tobytes()
        unraisable: list[object] = []
        sys.unraisablehook = unraisable.append
        calls, raised = self.call_with(plan, things.clear)
        assert raised is None
        self.close_unknown(plan, calls)
        assert num_files() == files
        assert load(self.path).startswith(NUMBERS.tobytes())
        assert read_items(self.path).startswith(items)
        if any(call == "munmap" and plan.error_of(index) for index, call in enumerate(calls)):
            return calls  # what is still mapped is still locked
        with vmem.open_array(self.path, "q", mode="a") as other:
            assert other.tobytes().startswith(NUMBERS.tobytes())
        return calls


@dataclass
class Open(OnFile):
    """A call of open_array(). What fails has not touched the file, and left neither a file nor a lock."""

    mode: Any = "r"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.num_opened = 2 if self.mode in ("w+", "x") else 1  # a new file keeps its folder until the disk has it

    def open(self) -> None:
        self.opened: Any = vmem.open_array(self.path, "q", mode=self.mode)

    def try_once(self, plan: Plan) -> list[str]:
        files = num_files()
        self.make().close()
        if self.mode == "x":
            self.path.unlink()
        before = self.path.read_bytes() if self.path.exists() else None
        calls, raised = self.call_with(plan, self.open)
        if raised:
            self.close_unknown(plan, calls)
            names = [each.name for each in Path(self.folder.name).iterdir()]
            assert names == ([] if before is None else [self.path.name])
            assert before is None or self.path.read_bytes() == before
            self.open()
        made = self.opened
        del self.opened
        if self.done is None:
            self.done = made.tobytes()
        assert made.tobytes() == self.done
        if self.mode != "r":
            made.extend(MORE)
        made.close()
        del made
        gc.collect()
        self.close_unknown(plan, calls)
        assert load(self.path) == self.done + (MORE.tobytes() if self.mode != "r" else b"")
        assert num_files() == files
        return calls


@dataclass
class Follow(OnFile):
    """A reader that asks how much was flushed."""

    def try_once(self, plan: Plan) -> list[str]:
        made = self.make()
        reader = vmem.open_array(self.path, "q")
        assert len(reader) == len(NUMBERS)
        made.extend(MORE)
        made.flush(durable=False)
        calls, raised = self.call_with(plan, lambda: len(reader))
        if raised is None and not plan.failed(len(calls)):
            assert len(reader) == len(NUMBERS) + len(MORE)
        assert reader[: len(NUMBERS)].tobytes() == NUMBERS.tobytes()
        assert reader.tobytes() == NUMBERS.tobytes() + MORE.tobytes()
        made.close()
        return calls


@dataclass
class Kill(OnFile):
    """Ends a process at each system call of a call: what was flushed before is there, and the file opens again."""

    call: Callable[[Any], object] = len
    mode: str = "r+"  # of the array that the call gets
    makes_new: bool = False  # the call begins anew: what was flushed is there, or nothing

    def try_once(self, plan: Plan) -> list[str]:
        raise NotImplementedError

    def explore(self) -> set[str]:
        self.warm_up()
        number, ended = 0, False
        while not ended:
            ended = self.kill_at(number)
            self.check()
            number += 1
        self.num_cases = number
        return {f"{number - 1} calls"} if number > 1 else set()

    def kill_at(self, number: int) -> bool:
        """Whether the call has made fewer system calls."""
        self.make().close()
        child = os.fork()
        if child == 0:
            made = None if self.makes_new else vmem.open_array(self.path, "q", mode="r+")
            self.faults.arm(Plan((0,) * number + (KILL,)))
            self.call(made if made is not None else self.path)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, -signal.SIGKILL), status
        return status == 0

    def check(self) -> None:
        if self.path.suffix != ".npy" or self.path.stat().st_size:
            found = load(self.path)
            assert found.startswith(NUMBERS.tobytes()) or (self.makes_new and not found.strip(b"\0")), len(found)
        assert len(read_items(self.path)) % 8 == 0
        with vmem.open_array(self.path, "q", mode="a") as made:
            start = len(made)
            assert self.makes_new or start >= len(NUMBERS)
            made.extend(MORE)
        assert np.frombuffer(load(self.path), "q")[start:].tobytes() == MORE.tobytes()


def grow_and_flush(made: File) -> None:
    made.extend(MANY)
    made.flush()
    made.extend(MORE)
    made.flush(durable=False)
    made.close()


def make_cases(ending: str) -> dict[str, Callable[[], Explorer]]:
    def call(function: Callable[[File], object]) -> Callable[[], Explorer]:
        return lambda: FileCall(ending, call=function)

    return {
        **{f"open, {mode}": partial(Open, ending, mode=mode) for mode in ("r", "r+", "w+", "x", "a")},
        "append": call(lambda made: made.append(7)),
        "extend": call(lambda made: made.extend(MORE)),
        "extend, many": call(lambda made: made.extend(MANY)),
        "frombytes": call(lambda made: made.frombytes(bytes(20 * PAGE))),
        # The disk has the new file then, and its folder is closed.
        "flush": lambda: FileCall(ending, call=lambda made: made.flush(), is_durable=True, num_opened=-1),
        "flush, not durable": call(lambda made: made.flush(durable=False)),
        "close": lambda: Close(ending),
        "drop": lambda: DropFile(ending),
        "follow": lambda: Follow(ending),
        "kill in growth and flush": lambda: Kill(ending, call=grow_and_flush),
        "kill in opening": lambda: Kill(
            ending, call=lambda path: vmem.open_array(path, "q", mode="a").close(), makes_new=True
        ),
        "kill in beginning anew": lambda: Kill(
            ending, call=lambda path: vmem.open_array(path, "q", mode="w+").close(), makes_new=True
        ),
    }


CASES = {f"{ending}, {name}": make for ending in ("raw", "npy") for name, make in make_cases(ending).items()}


if __name__ == "__main__":
    explore_case(sys.argv[1], CASES)
