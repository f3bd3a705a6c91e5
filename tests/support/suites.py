"""Which tests are run where: the suites that ``pytest --suite=NAME`` selects from.

Scripts, workflows, the Makefile and pyproject.toml name a suite and list no tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]

LEAKS = "exhaustive/test_leaks.py"
REFUSALS = "exhaustive/test_refusals.py"


@dataclass(frozen=True)
class Suite:
    """What is run below tests/: folders and files, without some of them and without tests that have a mark."""

    only: tuple[str, ...] = (".",)
    without: tuple[str, ...] = ()
    without_marks: tuple[str, ...] = ()

    def selects(self, path: Path) -> bool:
        """Whether a file is run, or whether a folder can hold such a file."""
        if not path.is_relative_to(TESTS):
            return True
        included = any(path.is_relative_to(TESTS / each) or (TESTS / each).is_relative_to(path) for each in self.only)
        return included and not any(path.is_relative_to(TESTS / each) for each in self.without)


# What says nothing about the Python that runs it, or needs tools that only a checkout's environment has.
OF_THE_CHECKOUT = ("header", "packaging", "project", "typing")

# What takes minutes: `make test-all` runs it, CI_FULL=1 with that, and a Python without the GIL.
ONCE = "long_search"

# Sanitizers take memory for themselves, so tests that limit or measure that of the process cannot run under them.
SANITIZED = Suite(
    only=(
        "region",
        "array",
        "arena",
        "ring",
        "table",
        "sharing",
        "files",
        "module",
        "safety",
        "interop",
        "native",
        "docs",
        "exhaustive",
    ),
    without=("native/test_examples.py", LEAKS, REFUSALS),
    without_marks=("exact_memory", "whole_system", ONCE),
)

SUITES = {
    "all": Suite(),
    "all-but-long": Suite(without_marks=(ONCE,)),  # each such test has a short search too
    "quick": Suite(without_marks=("exhaustive",)),
    # --- builds of the extension ---
    "sanitized": SANITIZED,
    "covered": Suite(
        SANITIZED.only, tuple(each for each in SANITIZED.without if each != REFUSALS), SANITIZED.without_marks
    ),
    # --- installed wheels ---
    "installed": Suite(without=("packaging", "project"), without_marks=("whole_system", ONCE)),
    # Where another run has the header, which is the same for all wheels, and refusals and leaks, which are so too.
    "installed-only": Suite(
        without=("header", "packaging", "project", LEAKS, REFUSALS),
        without_marks=("whole_system", ONCE),
    ),
    # The same without what is exhaustive, which make sanitize and test-all run with two Pythons.
    "installed-samples": Suite(
        without=("header", "packaging", "project", LEAKS, REFUSALS),
        without_marks=("exhaustive", "whole_system", ONCE),
    ),
    # What says whether a wheel has all it needs.
    "installed-briefly": Suite(only=("module", "docs", "native"), without_marks=("exhaustive", "whole_system", ONCE)),
    # Without compilers and other tools, on machines that cibuildwheel starts.
    "published": Suite(without=(*OF_THE_CHECKOUT, "native", LEAKS, REFUSALS), without_marks=(ONCE,)),
    # --- other Pythons and machines ---
    "newer-python": Suite(without=("header", "project", "typing"), without_marks=("whole_system", ONCE)),
    # System calls fail alike everywhere, and their causes are looked up in so many small files that a Python without
    # the GIL, which yields its processor at every lock it holds already, would take ten times as long beside others.
    "free-threaded": Suite(without=("header", "project", "typing", REFUSALS), without_marks=("whole_system",)),
    # Threads share what fixtures make, so these suites leave out what is about one process.
    "free-threaded-parallel": Suite(
        only=(
            *(f"region/test_{each}.py" for each in ("commit", "discard", "items", "ranges", "release", "views")),
            *(f"array/test_{each}.py" for each in ("array", "items", "methods", "rows", "views")),
            *(f"ring/test_{each}.py" for each in ("prepare", "queue", "ring", "rows")),
            *("arena/test_arena.py", "module/test_alignment.py", "interop/test_interop.py"),
        ),
        without_marks=("exact_memory", "whole_system"),
    ),
    # Wine keeps a byte about each page.
    "windows": Suite(without=(*OF_THE_CHECKOUT, "native"), without_marks=("many_addresses", "whole_system", ONCE)),
    "i386": Suite(without=OF_THE_CHECKOUT, without_marks=("many_addresses", "whole_system", ONCE)),
    # What takes long or counts every byte is the same elsewhere; building needs settings for another architecture.
    "arm64": Suite(
        without=(*OF_THE_CHECKOUT, "exhaustive", "native/test_examples.py"), without_marks=("whole_system", ONCE)
    ),
    "arm64-large-pages": Suite(
        without=(*OF_THE_CHECKOUT, "exhaustive", "native/test_examples.py"),
        without_marks=("exact_memory", "many_addresses", "whole_system", ONCE),
    ),
    # What needs compilers, emulators, bundlers and other libraries.
    "tools": Suite(only=("header", "native", "packaging", "interop", "docs/test_examples.py")),
}


def list_tests(suite: Suite) -> list[str]:
    """The files of a suite, by their paths below tests/."""
    return sorted(path.relative_to(TESTS).as_posix() for path in TESTS.glob("*/test_*.py") if suite.selects(path))
