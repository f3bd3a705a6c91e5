"""Runs the tests on an instrumented build of the extension, and lists the lines of csrc/ that they never reach.

Run by `make coverage`, in an environment of its own: the build replaces the installed extension, so that processes
started by tests are counted too. tests/header measures the coverage of the header.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "csrc"
INSTRUMENTATION = ("--coverage", "-fprofile-update=atomic", "-O0")
MIN_COVERAGE = 0.97

NEVER_REACHED = """\
What no test reaches, and why:
- Recovery after a fork from calls of threads that the child does not have. Tests reach it, in children that end by
  os._exit() and do not write their counts.
- Recording discarded pages on systems that discard by mapping or committing again.
- "vmem has been unloaded": only finalizers reach it that run while the module is garbage collected.
- The module's slots for Python 3.12 and 3.13, which are reached with these versions.
- array_releasebuffer() is never called. Buffers can raise from Python 3.12 on."""

Counts = dict[str, dict[int, int]]  # by file and line, how often it ran


def find_installed_extension() -> Path:
    package = importlib.util.find_spec("vmem")
    assert package
    assert package.submodule_search_locations
    (extension,) = Path(package.submodule_search_locations[0]).glob("_vmem.*so")
    assert extension.is_relative_to(sys.prefix), f"{extension} is outside this environment and is not replaced"
    return extension


def build_instrumented_extension(folder: Path) -> None:
    """Compiles the sources one by one, because gcc writes the counts of each beside its object file."""
    flags = [
        *INSTRUMENTATION,
        *("-std=c11", "-fPIC", "-fvisibility=hidden", "-I", sysconfig.get_path("include")),
        *([] if sysconfig.get_config_var("Py_GIL_DISABLED") else ["-DPy_LIMITED_API=0x030B0000"]),
    ]
    objects = []
    for source in sorted(SOURCES.rglob("*.c")):
        target = folder / source.relative_to(SOURCES).with_suffix(".o")
        target.parent.mkdir(parents=True, exist_ok=True)
        objects.append(target)
        subprocess.run(["gcc", *flags, "-I", SOURCES, "-c", source, "-o", target], check=True)
        counts = target.with_suffix(".gcda")
        counts.touch()
        counts.chmod(0o666)  # some tests change the user, who must be able to write the counts
    extension = find_installed_extension()
    extension.unlink()
    subprocess.run(["gcc", "--coverage", "-shared", *objects, "-o", extension], check=True)


def run_tests(folder: Path, suite: str) -> bool:
    """The build that test_refusals.py makes is instrumented too, and kept in the folder."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"--basetemp={folder / 'tests'}", f"--suite={suite}"],
        env={**os.environ, "CC": "gcc", "CFLAGS": shlex.join(INSTRUMENTATION)},
        cwd=ROOT,
    )
    return done.returncode == 0


def read_counts(folder: Path) -> Counts:
    counts: Counts = defaultdict(dict)
    for notes in sorted(folder.rglob("*.gcno")):
        done = subprocess.run(
            ["gcov", "--json-format", "--stdout", notes], check=True, cwd=folder, stdout=subprocess.PIPE
        )
        for file in json.loads(done.stdout)["files"]:
            path = Path(file["file"])
            if not path.is_relative_to(SOURCES) or path.name == "vmem.h":
                continue
            lines = counts[path.relative_to(SOURCES).as_posix()]
            for line in file["lines"]:
                lines[line["line_number"]] = lines.get(line["line_number"], 0) + line["count"]
    return counts


def print_table(counts: Counts) -> None:
    print(f"\n{'file':<32}{'lines':>7}{'reached':>9}{'':>8}")
    for name, lines in sorted(counts.items()):
        print_row(name, len(lines), sum(count > 0 for count in lines.values()))


def print_row(name: str, num_lines: int, num_reached: int) -> None:
    print(f"{name:<32}{num_lines:>7}{num_reached:>9}{num_reached / num_lines:>8.1%}")


def print_lines_never_reached(counts: Counts) -> None:
    print("\nNever reached:")
    for name, lines in sorted(counts.items()):
        text = (SOURCES / name).read_text(encoding="utf-8").splitlines()
        for number in sorted(number for number, count in lines.items() if count == 0):
            print(f"{name}:{number}: {text[number - 1].strip()}")
    print(f"\n{NEVER_REACHED}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for the build and its counts; its contents are deleted")
    parser.add_argument("--suite", required=True, help="the tests to run")
    options = parser.parse_args()
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    build_instrumented_extension(folder)
    passed = run_tests(folder, options.suite)
    counts = read_counts(folder)
    print_table(counts)
    num_lines = sum(len(lines) for lines in counts.values())
    num_reached = sum(count > 0 for lines in counts.values() for count in lines.values())
    print_row("all", num_lines, num_reached)
    print_lines_never_reached(counts)
    return 0 if passed and num_reached / num_lines >= MIN_COVERAGE else 1


if __name__ == "__main__":
    sys.exit(main())
