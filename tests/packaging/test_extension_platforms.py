"""The extension compiles for other systems, with their headers and this Python's."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# This Python's pyconfig.h is right for them in all that the extension uses: the same types have the same sizes.
TARGETS = ("aarch64-macos", "x86_64-freebsd", "x86_64-netbsd", "x86_64-openbsd", "aarch64-linux-musl")

pytestmark = pytest.mark.skipif(sys.platform != "linux" or sys.maxsize < 2**32, reason="needs a 64-bit pyconfig.h")


@pytest.mark.parametrize("target", TARGETS)
def test_the_extension_compiles(target: str, zig_environment: Mapping[str, str], tmp_path: Path) -> None:
    command: list[str | Path] = [
        *(sys.executable, "-m", "ziglang", "cc", "-target", target),
        *("-std=c11", "-O0", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror"),
        *([] if sysconfig.get_config_var("Py_GIL_DISABLED") else ["-DPy_LIMITED_API=0x030B0000"]),
        *("-I", sysconfig.get_path("include"), "-I", ROOT / "csrc"),
    ]
    for source in sorted((ROOT / "csrc").rglob("*.c")):  # of several sources, zig compiles only the first
        done = subprocess.run(
            [*command, "-c", source, "-o", tmp_path / "object.o"], env=zig_environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
