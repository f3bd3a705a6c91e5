"""Builds the extension; everything else about the package is in pyproject.toml."""

import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

# The stable ABI has no room for free-threaded builds yet, so those get a wheel for their own version.
USES_STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")
STABLE_ABI = "0x030B0000"

SOURCES = sorted(path.as_posix() for path in Path("csrc").glob("*.c"))
HEADERS = sorted(path.as_posix() for path in Path("csrc").glob("*.h"))

if sys.platform == "win32":
    COMPILE_ARGUMENTS = ["/std:c11", "/W3"]
else:
    COMPILE_ARGUMENTS = [
        "-std=c11",
        "-fvisibility=hidden",
        "-Wall",
        "-Wextra",
        "-Wno-missing-field-initializers",
        "-g0",
    ]

setup(
    ext_modules=[
        Extension(
            "vmem._vmem",
            SOURCES,
            depends=HEADERS,
            include_dirs=["csrc"],
            define_macros=[("Py_LIMITED_API", STABLE_ABI)] if USES_STABLE_ABI else [],
            extra_compile_args=COMPILE_ARGUMENTS,
            py_limited_api=USES_STABLE_ABI,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if USES_STABLE_ABI else {},
)
