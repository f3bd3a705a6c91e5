"""The order of the stores and loads of positions, as compilers keep it for processors that do not.

x86 never shows a missing fence, and emulators on it do not either. So the code for arm64 is read.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT

SOURCE = """
#include <stdbool.h>
#include "types/ring/positions.h"

void write_item(RingPositions* positions, uint64_t oldest, uint64_t* item, uint64_t value) {
    position_store(&positions->oldest, oldest);
    writer_fence();
    *item = value;
    position_store(&positions->total, oldest + 1);
}

uint64_t read_item(const RingPositions* positions, const uint64_t* item, uint64_t position, bool* is_valid) {
    uint64_t total = position_load(&positions->total), value = *item;
    reader_fence();
    *is_valid = position < total && position_load(&positions->oldest) <= position;
    return value;
}
"""

# What compat.h has for these, without Python.
COMPAT = """
#include <stddef.h>
#include <stdint.h>
static inline void shared_store_release(uint64_t* number, size_t value) {
    __atomic_store_n((size_t*)number, value, __ATOMIC_RELEASE);
}
static inline size_t shared_load_acquire(const uint64_t* number) {
    return __atomic_load_n((const size_t*)number, __ATOMIC_ACQUIRE);
}
"""

needs_aarch64 = pytest.mark.skipif(
    not shutil.which("aarch64-linux-gnu-gcc"), reason="aarch64-linux-gnu-gcc is not installed"
)


def compile_for_arm64(folder: Path, level: str) -> dict[str, list[str]]:
    """The instructions of each function that access memory or order accesses, in their order."""
    python = folder / "python"
    python.mkdir()
    (python / "compat.h").write_text(COMPAT, encoding="utf-8")
    (folder / "fences.c").write_text(SOURCE, encoding="utf-8")
    command = ["aarch64-linux-gnu-gcc", level, "-S", "-o", "-", "-fno-stack-protector", "-mno-outline-atomics"]
    command += ["-I", str(folder), "-I", str(ROOT / "csrc"), str(folder / "fences.c")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    functions: dict[str, list[str]] = {}
    for name, body in re.findall(r"^(\w+_item):\n(.*?)\.size\t\1", text, re.DOTALL | re.MULTILINE):
        functions[name] = [
            " ".join(found) for found in re.findall(r"^\t(stlr|ldar|dmb|str|ldr)\t(ish\w*)?", body, re.MULTILINE)
        ]
    return {name: [each.strip() for each in body] for name, body in functions.items()}


@needs_aarch64
@pytest.mark.parametrize("level", ["-O1", "-O2", "-O3"])
def test_a_writer_drops_items_before_it_overwrites_them(level: str, tmp_path: Path) -> None:
    """`stlr; str` alone may be reordered: the fence is between them."""
    assert compile_for_arm64(tmp_path, level)["write_item"] == ["stlr", "dmb ish", "str", "stlr"]


@needs_aarch64
@pytest.mark.parametrize("level", ["-O1", "-O2", "-O3"])
def test_a_reader_reads_items_before_it_looks_at_the_oldest(level: str, tmp_path: Path) -> None:
    """`ldr; ldar` alone may be reordered: the fence is between them."""
    body = compile_for_arm64(tmp_path, level)["read_item"]
    assert body[:4] == ["ldar", "ldr", "dmb ishld", "ldar"]
