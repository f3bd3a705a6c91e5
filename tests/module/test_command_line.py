"""``python -m vmem`` and the script ``vmem``: facts, arguments, exit statuses, output that fails, and the benchmark."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import vmem
import vmem.__main__ as command_line
from tests.support.marks import linux_only, posix_only
from tests.support.processes import run_python, run_vmem
from tests.support.sharing import SharedFolder
from vmem._command import CommandError
from vmem._format import format_bytes
from vmem._report import describe_limit

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
PAGE = ROOT / "docs" / "reference" / "command-line.md"

COMMANDS = ["", "demo", "bench"]
MIB = 1 << 20
MIN_GIB = "0.015625"  # the least that the benchmark fills


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs ``vmem`` from the folder of installed scripts."""
    script = shutil.which("vmem", path=sysconfig.get_path("scripts"))
    if script is None:
        pytest.skip("vmem was installed without its script")
    return subprocess.run([script, *arguments], capture_output=True, text=True, timeout=300)


def run_in_shell(command: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of the shell that contains ``vmem``, whose output is buffered as usual."""
    line = command.replace("vmem", f"'{sys.executable}' -m vmem", 1)
    environment = os.environ | {"PYTHONUNBUFFERED": ""}
    return subprocess.run(["sh", "-c", line], env=environment, capture_output=True, text=True, timeout=300)


# --- facts ---


def test_facts() -> None:
    done = run_vmem()
    assert done.returncode == 0
    labels = [line[:26].strip() for line in done.stdout.splitlines()]
    assert labels[:4] == ["vmem", "page size", "allocation granularity", "huge page size"]


def test_facts_as_json() -> None:
    facts = json.loads(run_vmem("--json").stdout)
    assert facts["version"] == vmem.__version__
    assert facts["page_size"] >= 4096
    assert facts["limits"]["mapping_used"] >= 0


@linux_only
@pytest.mark.exact_memory
def test_facts_match_the_system() -> None:
    facts = json.loads(run_vmem("--json", limit=1 << 33).stdout)
    assert facts["limits"]["address_space_limit"] == 1 << 33
    assert 1 * MIB < facts["limits"]["address_space_used"] < 1 << 33
    assert facts["limits"]["mapping_limit"] == int(Path("/proc/sys/vm/max_map_count").read_text())
    assert facts["memory_total"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    assert 0 < facts["memory_available"] < facts["memory_total"]


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        ((1 << 40) - (31 << 20), "1.0 TiB"),
        ((1 << 40) - (1 << 30), "1023 GiB"),
        (1 << 70, "1024 EiB"),
    ],
)
def test_format_bytes(num_bytes: int, text: str) -> None:
    assert format_bytes(num_bytes) == text


def test_describe_limit() -> None:
    """If the system does not report how much is in use, nothing is said about it."""
    assert describe_limit(None, 0) == describe_limit(None, 0, str) == "no limit"
    assert describe_limit(None, 5) == "no limit, 5 B in use"
    assert describe_limit(2048, 1024) == "2 KiB, 1 KiB in use"
    assert describe_limit(65530, 79, str) == "65530, 79 in use"


def test_facts_do_not_import_what_other_commands_need() -> None:
    run_python(
        """
        import sys
        from vmem.__main__ import main
        assert main([]) == 0
        unneeded = {"vmem._demo", "vmem._drawing", "hashlib", "side_by_side", "targets"}
        if sys.platform != "win32":  # platform imports it there
            unneeded.add("subprocess")
        assert not unneeded & set(sys.modules)
        """
    )


# --- the script, and its arguments ---


def test_the_script_equals_the_module() -> None:
    for arguments, status in (
        ("--version", 0),
        ("--include-dir", 0),
        ("demo /dev/null/nothing", 1),
        ("bench --gib x", 2),
    ):
        script, module = run_script(*arguments.split()), run_vmem(*arguments.split())
        assert (script.returncode, module.returncode) == (status, status)
        assert script.stdout == module.stdout
        assert script.stderr == module.stderr.replace("python -m vmem", "vmem")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_the_program_and_the_exit_statuses(command: str) -> None:
    for run, program in ((run_script, "vmem"), (run_vmem, "python -m vmem")):
        done = run(*command.split(), "--help")
        assert done.returncode == 0
        assert done.stdout.startswith(f"usage: {program} {command}".rstrip())
        assert "exit status: 0 success, 1 failure, 2 wrong arguments, 130 interrupted" in " ".join(done.stdout.split())


def test_the_reference_lists_all_commands_options_and_exit_statuses() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for command in COMMANDS:
        options = set(re.findall(r"(?<=\s)--[a-z-]+", run_vmem(*command.split(), "--help").stdout))
        assert len(options) >= 2
        assert {option for option in options if f"`{option}" not in page} == set()
    assert re.findall(r"^\| (\d+) ", page, re.MULTILINE) == ["0", "1", "2", "130"]


@pytest.mark.parametrize(
    "arguments",
    [
        "dance",
        "--dance",
        "--version --json",
        "--json --version",
        "--version demo",
        "bench --gib 0",
        "bench --gib nan",
        "bench --gib inf",
        "bench somewhere",
    ],
)
def test_wrong_arguments(arguments: str) -> None:
    done = run_vmem(*arguments.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python -m vmem")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "program"),
    [
        ("--dance", "vmem"),
        ("--version demo", "vmem"),
        ("demo --dance", "vmem demo"),
        ("bench somewhere", "vmem bench"),
        ("bench --gib x", "vmem bench"),
        ("bench --gib 0", "vmem bench"),
    ],
)
def test_wrong_arguments_show_the_usage_of_their_command(arguments: str, program: str) -> None:
    lines = run_vmem(*arguments.split()).stderr.splitlines()
    assert lines[0].startswith(f"usage: python -m {program} [-h]")
    assert lines[-1].startswith(f"python -m {program}: error: ")


@pytest.mark.parametrize("command", ["demo", pytest.param("bench", marks=pytest.mark.many_addresses)])
def test_an_interrupted_command(command: str) -> None:
    printed = run_python(
        """
        import signal, sys
        from vmem.__main__ import main
        signal.signal(signal.SIGINT, signal.default_int_handler)  # shells make background jobs ignore it
        sys.addaudithook(lambda event, _: event == "vmem.reserve" and signal.raise_signal(signal.SIGINT))
        sys.exit(main(sys.argv[1:]))
        """,
        command,
        expect=130,
    )
    assert "Traceback" not in printed


def test_out_of_memory_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.status_of(lambda: bytearray(sys.maxsize)) == 1
    assert capsys.readouterr() == ("", "vmem: out of memory\n")


# --- output that fails ---


def test_the_status_of_a_failure_survives_a_closed_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise CommandError("failed")

    def flush() -> None:
        raise BrokenPipeError

    monkeypatch.setattr(command_line, "run", fail)
    monkeypatch.setattr(command_line, "flush", flush)
    assert command_line.main([]) == 1


@posix_only
def test_a_closed_pipe_is_not_a_failure() -> None:
    for command in ("vmem", "vmem --json", "vmem --help", f"vmem demo '{BENCHMARKS}'"):
        done = run_in_shell(f"({command}; echo $? >&2) | true")
        assert done.stderr == "0\n"


@posix_only
def test_without_standard_output() -> None:
    for command in ("vmem", "vmem --json", "vmem --version", f"vmem demo '{BENCHMARKS}'"):
        done = run_in_shell(f"{command} >&-")
        assert (done.returncode, done.stderr) == (0, "")


@posix_only
def test_without_standard_error() -> None:
    done = run_in_shell(f"vmem demo --json '{BENCHMARKS}' 2>&-")
    assert done.returncode == 0
    assert json.loads(done.stdout)["num_verified"] > 5
    done = run_in_shell("vmem demo --json /dev/null/nothing 2>&-")
    assert (done.returncode, done.stdout) == (1, "")


@linux_only
def test_a_full_disk() -> None:
    for command in ("vmem", "vmem --json", "vmem --help", f"vmem demo '{BENCHMARKS}'"):
        done = run_in_shell(f"{command} > /dev/full")
        assert (done.returncode, done.stderr) == (1, "vmem: [Errno 28] No space left on device\n")


@posix_only
def test_an_ascii_terminal(tmp_path: Path) -> None:
    package = shutil.copytree(Path(vmem.__file__).parent, tmp_path / "søppel" / "vmem")
    for command, status in (("", 0), ("--include-dir", 1), ("demo /dev/null/søppel", 1)):
        done = run_vmem(*command.split(), PYTHONIOENCODING="ascii", PYTHONPATH=str(package.parent))
        assert done.returncode == status
        assert len(done.stderr.splitlines()) == status


# --- the benchmark ---


def measures(test: Callable[..., None]) -> Callable[..., None]:
    """Marks a test that runs the benchmark, which measures the memory of processes."""
    for mark in (posix_only, pytest.mark.many_addresses, pytest.mark.exact_memory):
        test = mark(test)
    return test


class Bench(NamedTuple):
    """The output of the benchmark, and what it wrote to the terminal."""

    machine: str
    rows: list[dict[str, Any]]
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
    terminal = (folder / "terminal").read_bytes().decode()
    printed = json.loads((folder / "output").read_text())
    assert printed.keys() == {"machine", "rows"}
    return Bench(printed["machine"], printed["rows"], terminal)


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


LIST_ROWS = """
import itertools, arena, arrays, json, region, ring, sharing, side_by_side, tables
num_bytes = int(float(__import__("sys").argv[1]) * (1 << 30))
sized = [each for module in (region, arrays, sharing) for each in module.list_comparisons(num_bytes)]
comparisons = [*sized, *arena.list_comparisons(), *tables.list_comparisons(), *ring.list_comparisons(ring.NUMPY)]
rows = [each.work for each in comparisons if each.target is not None and not side_by_side.find_lack(each.needs)]
if not side_by_side.find_lack("numpy"):
    rows += [f"its slowest 64 KiB, vs {each.name}" for each in arrays.FILLERS if each.slowest_target is not None]
print(json.dumps(rows))
"""


@measures
def test_the_benchmark_has_every_comparison_with_a_target(bench: Bench) -> None:
    expected = json.loads(run_in_benchmarks(LIST_ROWS, MIN_GIB))
    assert sorted(row["work"] for row in bench.rows) == sorted(expected)
    assert len(expected) >= 13, "13 rows need neither C nor NumPy"


@measures
def test_the_rows_of_the_benchmark(bench: Bench) -> None:
    assert bench.machine.startswith(f"vmem {vmem.__version__}, Python ")
    for row in bench.rows:
        assert row["ok"] == (row["ratio"] <= row["target"])
        assert 0 < row["lower_quartile"] <= row["ratio"] <= row["upper_quartile"]
        assert row["vmem"] > 0
        assert row["yardstick"] > 0
        assert row["unit"] in ("ns", "bytes")


@measures
def test_the_table_of_the_benchmark(bench: Bench) -> None:
    rows = [{name: value for name, value in row.items() if name != "ok"} for row in bench.rows]
    print_table = (
        "import json, sys; from side_by_side import Row, print_rows\n"
        "print_rows([Row(**row) for row in json.loads(sys.argv[1])], as_json=False)"
    )
    machine, table, footer = run_in_benchmarks(print_table, json.dumps(rows)).strip().split("\n\n")
    lines = table.splitlines()[2:]
    assert machine == bench.machine
    assert [line.split("|")[1].strip() for line in lines] == [row["work"] for row in bench.rows]
    answers = {line.split("|")[-2].strip() for line in lines}
    assert answers <= {"yes", "NO", "busy"}
    assert footer.startswith("Each ratio is a median over adjacent pairs, ")
    assert ("run again" in footer) == ("busy" in answers)


@measures
def test_the_progress_of_the_benchmark(bench: Bench) -> None:
    shown = re.findall(r"(\d+) of (\d+): ", bench.terminal)
    assert len(shown) >= 13
    assert shown == [(str(number), str(len(shown))) for number in range(1, len(shown) + 1)]
    assert bench.terminal.endswith("\r\x1b[K")


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


def test_the_benchmark_fills_less_if_memory_is_short() -> None:
    run_in_benchmarks(
        """if True:
        import targets, vmem
        def choose(available):
            targets.memory_info = lambda: vmem.MemoryInfo(1 << 40, available)
            return targets.choose_size(None) >> 20
        assert choose(1 << 39) == choose(0) == 256
        assert choose(400 << 20) == 100
        assert choose(64 << 20) == 16
        try:
            choose((64 << 20) - 1)
        except targets.CommandError as error:
            assert "64 MiB of memory must be free, but 64.0 MiB are" in str(error)
        else:
            raise AssertionError
        """
    )


@linux_only
@pytest.mark.exact_memory
def test_the_benchmark_refuses_too_few_addresses() -> None:
    done = run_vmem("bench", "--gib", MIN_GIB, limit=1 << 30)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"vmem: 4\.2 GiB of addresses must be free, but no more than [\d.]+ [MG]iB are \(ulimit -v\)\n", done.stderr
    )


@pytest.mark.parametrize("size", ["nan", "inf", "-1", "0", "1e300"])
def test_sizes_that_the_benchmark_cannot_fill(size: str) -> None:
    assert f"have to be filled, and not {float(size)} GiB\n" in run_vmem("bench", "--gib", size).stderr


@pytest.mark.many_addresses
@linux_only
def test_sizes_larger_than_memory() -> None:
    message = r"--gib: twice as much, 1 PiB, must be free, but [\d.]+ [MGT]iB are\n"
    assert re.search(message, run_vmem("bench", "--gib", "524288").stderr)


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


def test_the_benchmark_is_found_in_a_checkout_too(tmp_path: Path) -> None:
    package = tmp_path / "src" / "vmem"
    shutil.copytree(Path(vmem.__file__).parent, package, ignore=shutil.ignore_patterns("_benchmarks"))
    lacking = run_vmem("bench", PYTHONPATH=str(package.parent))
    assert (lacking.returncode, lacking.stdout) == (1, "")
    assert lacking.stderr == f"vmem: this installation lacks the folder {package / '_benchmarks'}\n"
    shutil.copytree(BENCHMARKS, tmp_path / "benchmarks")
    refused = run_vmem("bench", "--gib", "0", PYTHONPATH=str(package.parent))
    assert "at least 16 MiB" in refused.stderr
