"""An array in a file that is compared with an array.array, as its writer, a reader and NumPy see it."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import vmem
from tests.models.region_model import expect, expect_bytes
from tests.support.files import hides, read_open

HEADER_BYTES = 128  # of the files that are made here


class CheckedFile:
    """A file and, while it is open, the array that writes it, and one that reads it."""

    def __init__(self, path: Path, typecode: str) -> None:
        self.path = path
        self.typecode = typecode
        self.model = array(typecode)
        self.num_flushed = 0
        self.writer: Any = vmem.open_array(path, typecode, mode="x")
        self.reader: Any = None
        self.views: list[tuple[Any, int, int]] = []  # with the file they are of, and their length
        self.num_files = 0  # w+ makes another one
        self.last_of: dict[int, array[Any]] = {}  # what the files have at last that w+ has replaced

    # --- opening and closing ---

    def open(self, mode: Any) -> None:
        if self.writer is not None:
            expect(
                "exception", find_error(lambda: vmem.open_array(self.path, self.typecode, mode=mode)), BlockingIOError
            )
            return
        if sys.platform == "win32":  # where views of a reader keep the file, and its mapping, as they are
            self.release_views()
            self.close_reader()
        if mode == "w+":
            self.last_of[self.num_files] = array(self.typecode, self.model)
            self.num_files += 1
            self.model = array(self.typecode)
            self.close_reader()  # which has the old file
        self.writer = vmem.open_array(self.path, self.typecode, mode=mode)
        self.num_flushed = len(self.model)

    def close(self) -> None:
        if self.writer is not None:
            if sys.platform == "win32":  # where the file has its exact size once nothing else maps it
                self.release_views()
                self.close_reader()
            closed, self.writer = self.writer, None
            closed.close()
            self.num_flushed = len(self.model)
            expect("contents when closed", closed.tolist(), self.model.tolist())
            expect("exception when closed", find_error(lambda: closed.append(1)), ValueError)

    def drop(self) -> None:
        """Without close(). Views would keep it."""
        self.release_views()
        if sys.platform == "win32":
            self.close_reader()
        self.writer = None
        self.num_flushed = len(self.model)

    def open_reader(self) -> None:
        self.reader = vmem.open_array(self.path, self.typecode)

    def close_reader(self) -> None:
        self.reader = None

    # --- the writer's calls ---

    def change(self, action: Callable[[Any], object]) -> None:
        if self.writer is not None:
            action(self.writer)
            action(self.model)

    def append(self, item: int) -> None:
        self.change(lambda made: made.append(item))

    def extend(self, items: Sequence[int]) -> None:
        self.change(lambda made: made.extend(array(self.typecode, items)))

    def extend_by_iterator(self, items: Sequence[int]) -> None:
        self.change(lambda made: made.extend(iter(items)))

    def append_bytes(self, items: Sequence[int], times: int) -> None:
        self.change(lambda made: made.frombytes(times * array(self.typecode, items).tobytes()))

    def set_item(self, index: int, item: int) -> None:
        if len(self.model):
            self.change(lambda made: made.__setitem__(index % len(self.model), item))

    def flush(self, durable: bool) -> None:
        if self.writer is not None:
            self.writer.flush(durable=durable)
            self.num_flushed = len(self.model)
            self.check_size()

    def refuse(self, action: Callable[[Any], object]) -> None:
        """A call that would move or remove items."""
        for made in (self.writer, self.reader):
            if made is not None:
                expect("exception", find_error(partial(action, made)), TypeError)

    def view(self) -> None:
        for made in (self.writer, self.reader):
            if made is not None:
                view = memoryview(made)
                self.views.append((view, self.num_files, len(view)))

    def release_views(self) -> None:
        for view, _, _ in self.views:
            view.release()
        self.views.clear()

    # --- checks ---

    def check_all(self) -> None:
        flushed = self.model[: self.num_flushed]
        shown = flushed if hides(self.path) else self.model
        if self.writer is not None:
            expect("length", len(self.writer), len(self.model))
            expect_bytes("contents", self.writer.tobytes(), self.model.tobytes())
        if self.reader is not None:
            expect("length of the reader", len(self.reader), len(shown))
            expect_bytes("contents of the reader", self.reader.tobytes(), shown.tobytes())
        for view, number, length in self.views:
            items = self.last_of.get(number, self.model)[:length]
            expect_bytes(f"view of {length}", view.tobytes(), items.tobytes())
        is_npy = self.path.suffix == ".npy"
        contents = self.path.read_bytes()[HEADER_BYTES if is_npy else 0 :]
        expect_bytes("file", contents[: self.model.itemsize * len(self.model)], self.model.tobytes())
        if is_npy:
            import numpy as np

            found = np.load(self.path, mmap_mode="r")
            expect("type in NumPy", found.dtype, np.dtype(self.typecode))
            expect_bytes("contents in NumPy", found.tobytes(), flushed.tobytes())

    def check_size(self) -> None:
        """After a flush."""
        header = HEADER_BYTES if self.path.suffix == ".npy" else 0
        size = header + self.model.itemsize * len(self.model)
        if self.writer is not None:
            read_open(self.path, size)
        else:
            expect("size", self.path.stat().st_size, size)

    def end(self) -> None:
        self.check_all()
        self.release_views()
        self.close()
        self.check_all()
        self.check_size()
        self.close_reader()  # Windows removes no open file


def find_error(call: Callable[[], object]) -> type[Exception] | None:
    try:
        call()
    except Exception as error:
        return type(error)
    return None
