"""benchmarks/: what they measure, what they leave out, how they print, and that they end when they are interrupted."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.marks import linux_only, posix_only
from tests.support.processes import ROOT

BENCHMARKS = ROOT / "benchmarks"


def run_in_benchmarks(code: str, *arguments: str, **environment: str) -> str:
    """The output of code that can import the benchmarks, followed by what it writes to standard error."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=BENCHMARKS,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.many_addresses
@pytest.mark.parametrize("compiler", ["/nowhere/cc", "false", " ", "-g", "an 'open quote"])
def test_the_benchmark_omits_rows_without_a_compiler_or_numpy(compiler: str) -> None:
    printed = run_in_benchmarks(
        "import sys; sys.modules['numpy'] = None\n"
        "import side_by_side, targets\n"
        "kept = side_by_side.leave_out_what_lacks(targets.list_comparisons(1 << 24))\n"
        "assert len(kept) >= 12\n"
        "assert not {'C', 'numpy'} & {each.needs for each in kept}\n",
        CC=compiler,
    )
    without_c, *others = printed.splitlines()
    without_numpy = next(line for line in others if "numpy is not" in line)  # others may be missing too
    assert re.match(rf"vmem: left out, because .*(POSIX|{compiler!r} cannot compile .*compiler)", without_c)
    assert without_c.count("vs C") >= 4
    assert without_numpy.startswith("vmem: left out, because numpy is not installed (python -m pip install numpy): ")


@posix_only
@pytest.mark.many_addresses
def test_the_benchmark_omits_rows_without_a_temporary_folder() -> None:
    printed = run_in_benchmarks(
        """if True:
        import resource, tempfile, side_by_side, targets
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # no file can be written
        kept = side_by_side.leave_out_what_lacks(targets.list_comparisons(1 << 24))
        assert len(kept) >= 12
        assert "C" not in {each.needs for each in kept}
        """
    )
    assert re.match("vmem: left out, because '[^']+' cannot compile yardstick.c: .*temporary", printed)


def test_the_benchmark_takes_a_fraction_of_the_pairs() -> None:
    """But at least five. The garbage collector is disabled during samples."""
    run_in_benchmarks(
        """if True:
        import gc
        from side_by_side import Comparison, measure_all
        collects = []
        def sample():
            collects.append(gc.isenabled())
            return 1.0
        comparisons = [Comparison("few", sample, sample, None, 12), Comparison("many", sample, sample, None, 40)]
        rows = measure_all(comparisons, divisor=4)
        assert [(row.work, row.pairs, row.ratio) for row in rows] == [("few", 5, 1.0), ("many", 10, 1.0)], rows
        assert collects == [False] * 2 * (6 + 11)
        assert gc.isenabled()
        """
    )


def test_the_table_is_folded_in_a_narrow_terminal() -> None:
    run_in_benchmarks(
        """if True:
        from side_by_side import Row, format_table
        rows = [Row("w" * 60, 1e3, 2e3, 0.5, 0.4, 0.6, 1.1, 9), Row("short", 1e9, 1e9, 1.0, 1.0, 1.0, 0.9, 9)]
        wide, narrow = (format_table(rows, columns).splitlines() for columns in (200, 80))
        assert len(wide) == 4 and len(set(map(len, wide))) == 1 and len(wide[0]) > 80, wide
        assert len(narrow) == 6 and max(map(len, narrow)) <= 80, narrow
        assert narrow[2].strip() == "w" * 60 and narrow[3].split()[:2] == ["1.00", "us"], narrow
        assert narrow[5].split()[-1] == "NO", narrow
        """
    )


@posix_only
def test_a_missed_target_on_a_busy_machine_is_no_verdict() -> None:
    """A sample that waits looks like one that other programs keep from the processor."""
    run_in_benchmarks(
        """if True:
        import threading, time
        from side_by_side import Comparison, format_verdict, measure_all

        def work():
            end = time.process_time() + 0.02
            while time.process_time() < end:
                pass
            return 2.0
        def wait():
            threading.Event().wait(0.1)
            return 2.0
        comparisons = [Comparison(name, ours, lambda: 1.0, target, 5)
                       for name, ours in (("works", work), ("waits", wait)) for target in (1.0, 3.0, None)]
        verdicts = [format_verdict(row) for row in measure_all(comparisons, divisor=1)]
        assert verdicts[3:] == ["busy", "yes", ""], verdicts
        assert verdicts[0] in ("NO", "busy") and verdicts[1:3] == ["yes", ""], verdicts
        """
    )


@linux_only
def test_a_benchmark_interrupted_while_others_fill_memory_leaves_no_processes(tmp_path: Path) -> None:
    """Only the first process gets the signal."""
    interrupt_benchmark("bytearray", tmp_path, until=lambda group: len(list_group(group)) >= 3)


@linux_only
def test_a_benchmark_interrupted_while_it_compiles_leaves_no_files(tmp_path: Path) -> None:
    compiler = tmp_path / "endless.sh"
    compiler.write_text('touch "$TMPDIR/started" && exec sleep 600', encoding="utf-8")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    interrupt_benchmark("C", temporary, until=lambda _: any(temporary.rglob("started")), CC=f"sh '{compiler}'")


def interrupt_benchmark(way: str, temporary: Path, until: Callable[[int], bool], **environment: str) -> None:
    """Fills memory in one way, repeatedly, until a condition holds, and then interrupts the first process."""
    code = f"""
import signal
import arrays
signal.signal(signal.SIGINT, signal.default_int_handler)
print('ready', flush=True)
while True: arrays.fill({way!r}, 1 << 28)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=BENCHMARKS,
        env=os.environ | {"TMPDIR": str(temporary)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert child.stdout
        child.stdout.readline()
        deadline = time.monotonic() + 120
        while not until(child.pid):
            assert child.poll() is None, "it has ended by itself"
            assert time.monotonic() < deadline, "the condition never held"
            os.sched_yield()
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)
        assert child.returncode != 0
        assert list_group(child.pid) == []
        assert list(temporary.iterdir()) == []
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def list_group(group: int) -> list[str]:
    """The live processes of a process group."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, fields = path.read_text().rpartition(") ")
        except OSError:  # the process has ended meanwhile
            continue
        if fields.split()[2] == str(group) and not fields.startswith("Z"):
            found.append(path.parent.name)
    return found
