"""``python -m vmem bench``: its rows, its text, what it leaves out, the sizes and limits that it refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import vmem
from tests.support.marks import can_share, linux_only, posix_only
from tests.support.processes import run_python, run_vmem
from tests.support.sharing import SharedFolder

MIN_GIB = "0.015625"  # the least that it fills


def measures(test: Callable[..., None]) -> Callable[..., None]:
    """Marks a test that runs the benchmark, whose fills reserve many addresses."""
    for mark in (posix_only, pytest.mark.many_addresses, pytest.mark.exact_memory):
        test = mark(test)
    return test


class Bench(NamedTuple):
    """The JSON that it prints, and what it wrote to the terminal."""

    printed: dict[str, Any]
    terminal: str


def run_on_terminal(command: list[str], folder: Path) -> tuple[str, str]:
    """The output of a program, and what it writes to standard error, which is a terminal."""
    import pty

    terminal, child_end = pty.openpty()
    with (folder / "output").open("w+") as output:
        child = subprocess.Popen(command, stdout=output, stderr=child_end)
        os.close(child_end)
        shown = b""
        try:
            while piece := os.read(terminal, 1 << 16):
                shown += piece
        except OSError:  # Linux reports the end so, when the last writer has closed the terminal
            pass
        os.close(terminal)
        assert child.wait(timeout=60) == 0, shown.decode()
        output.seek(0)
        return output.read(), shown.decode()


@pytest.fixture(scope="module")
def bench(shared_folder: SharedFolder) -> Bench:
    def measure(folder: Path) -> None:
        command = [sys.executable, "-m", "vmem", "--json", "bench", "--gib", MIN_GIB]
        terminal = run_on_terminal(command, folder)[1]
        (folder / "terminal").write_bytes(terminal.encode())

    folder = shared_folder("bench", measure)
    return Bench(json.loads((folder / "output").read_text()), (folder / "terminal").read_bytes().decode())


# --- what it measures ---


@measures
def test_the_rows(bench: Bench) -> None:
    assert bench.printed["num_bytes"] == 16 << 20
    assert bench.printed["machine"].startswith(f"vmem {vmem.__version__}, Python ")
    keys = [row["key"] for row in bench.printed["rows"]]
    expected = ["grow", "grow-stall", "grow-array", "grow-array-stall", "file", "share", "window", "record"]
    is_there = {"file": hasattr(vmem, "open_array"), "share": can_share()}
    assert keys == [key for key in expected if is_there.get(key, True)]
    for row in bench.printed["rows"]:
        assert 0 < row["lower_quartile"] <= row["times_as_fast"] <= row["upper_quartile"]
        assert min(row["vmem"], row["yardstick"]) > 0
        assert row["pairs"] >= 5
        assert isinstance(row["busy"], bool)


@measures
def test_the_times_on_the_way(bench: Bench) -> None:
    traces = bench.printed["traces"]
    assert sorted(traces) == ["array.array", "np.empty, doubled", "vmem.Array"]
    for trace in traces.values():
        assert len(trace) == 256
        assert trace == sorted(trace)


@measures
def test_the_progress(bench: Bench) -> None:
    shown = re.findall(r"(\d+) of (\d+): ", bench.terminal)
    assert shown == [(str(number), "6") for number in range(1, 7)]
    assert bench.terminal.endswith("\r\x1b[K")


def test_what_it_leaves_out_without_numpy() -> None:
    run_python(
        """
        from vmem._bench import headline
        headline.importlib.util.find_spec = lambda _: None
        lacking = {each.key for each in headline.list_comparisons(1 << 24, "") if headline.find_lack(each.needs)}
        assert lacking - {"share"} == {"grow", "file", "window", "record"}, lacking
        assert headline.find_lack("numpy") == "numpy is not installed (python -m pip install numpy)"
        assert headline.describe_numpy() == ""
        """
    )


def test_a_comparison_that_fails_is_left_out(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where SharedMemory gets more than fits into /dev/shm, which is a signal."""
    from vmem._bench import headline

    def list_failing(num_bytes: int, _folder: str) -> list[Any]:
        return [headline.Growth("fails", "no such way", "nothing", num_bytes)]

    monkeypatch.setattr(headline, "list_comparisons", list_failing)
    assert headline.measure_all(1 << 20) == ([], {})
    reason = r"-P -m vmem\._bench\.filling no such way 1048576 ended with 1: KeyError: 'no such way'"
    assert re.fullmatch(f"vmem: left out 'fails', because {reason}\n", capfd.readouterr().err)


@pytest.mark.many_addresses
def test_both_sides_of_a_comparison_do_the_same_work(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    from vmem._bench import headline

    ring, rolled = headline.look_at_ring(), headline.look_at_rolled()
    assert ring(3) > 0
    assert rolled(3) > 0
    headline.append_and_map_again(str(tmp_path))(3)
    mapped = np.fromfile(tmp_path / "mapped")
    assert len(mapped) == headline.NUM_SHOWN + 3 * headline.NUM_DOUBLES
    if hasattr(vmem, "open_array"):
        headline.append_to_file(str(tmp_path))(3)
        assert np.fromfile(tmp_path / "array")[: len(mapped)].tolist() == mapped.tolist()


@posix_only
def test_a_stopwatch_tells_a_busy_machine_from_an_idle_one() -> None:
    """A sample that waits looks like one that other programs keep from the processor."""
    run_python(
        """
        import threading
        from vmem._bench import measuring
        measuring.perf_counter = iter([0.0, 1.0] * 2).__next__
        measuring.count_processor_seconds = iter([0.0, 0.9, 0.0, 0.8]).__next__
        assert not measuring.Stopwatch().was_busy()
        assert measuring.Stopwatch().was_busy()
        """
    )


# --- what it prints ---


def make_row(key: str, work: str, busy: bool) -> Any:
    from vmem._bench.headline import Row

    return Row(key, work, "Array", "np.empty, doubled", [(1e6, 2e6), (1e6, 3e6), (1e6, 4e6)], busy)


def test_the_printed_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from vmem._bench import headline

    rows = [make_row("a", "one work", False), make_row("b", "another one", False), make_row("c", "one work", True)]
    for shown in (rows[:2], rows):
        monkeypatch.setattr(headline, "measure_all", lambda _, shown=shown: (shown, {}))
        headline.run(1 << 24, as_json=False)
        machine, table, *notes = capsys.readouterr().out.strip().split("\n\n")
        assert machine.startswith(f"vmem {vmem.__version__}, Python ")
        lines = table.splitlines()
        assert lines[:2] == [
            "one work",
            "  Array         1.00 ms   np.empty, doubled        3.00 ms    3.0x  (2.0 to 4.0)",
        ]
        assert [line for line in lines if not line.startswith(" ")] == ["one work", "another one"]
        assert max(map(len, lines)) <= 80
        assert ("too busy to tell" in notes[-1]) == any(row.busy for row in shown)
        assert sum("busy" in line for line in lines) == sum(row.busy for row in shown)


# --- sizes ---


def test_it_fills_less_if_memory_is_short() -> None:
    run_python(
        """
        import vmem
        from vmem._bench import measuring
        def choose(available):
            measuring.memory_info = lambda: vmem.MemoryInfo(1 << 40, available)
            return measuring.choose_size(None, 512 << 20) >> 20
        assert choose(1 << 39) == choose(0) == 512
        assert choose(400 << 20) == 100
        assert choose(64 << 20) == 16
        try:
            choose((64 << 20) - 1)
        except measuring.CommandError as error:
            assert "64 MiB of memory must be free, but 64.0 MiB are" in str(error)
        else:
            raise AssertionError
        """
    )


@linux_only
@pytest.mark.exact_memory
def test_it_refuses_too_few_addresses() -> None:
    done = run_vmem("bench", "--gib", MIN_GIB, limit=1 << 30)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"vmem: 2\.2 GiB of addresses must be free, but no more than [\d.]+ [MG]iB are \(ulimit -v\)\n", done.stderr
    )


@pytest.mark.parametrize("size", ["nan", "inf", "-1", "0", "1e300"])
def test_sizes_that_it_cannot_fill(size: str) -> None:
    assert f"have to be filled, and not {float(size)} GiB\n" in run_vmem("bench", "--gib", size).stderr


@pytest.mark.many_addresses
@linux_only
def test_sizes_larger_than_memory() -> None:
    message = r"--gib: twice as much, 1 PiB, must be free, but [\d.]+ [MGT]iB are\n"
    assert re.search(message, run_vmem("bench", "--gib", "524288").stderr)
