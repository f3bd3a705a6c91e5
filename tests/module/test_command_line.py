"""``python -m vmem`` and the script ``vmem``: facts, arguments, exit statuses, and output that fails."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import vmem
import vmem.__main__ as command_line
from tests.support.marks import linux_only, posix_only
from tests.support.processes import run_python, run_vmem
from vmem._command import CommandError
from vmem._format import format_bytes
from vmem._report import describe_limit

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "command-line.md"

COMMANDS = ["", "demo", "bench"]
MIB = 1 << 20


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
        unneeded = {"vmem._demo", "vmem._drawing", "vmem._bench", "hashlib"}
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
        ("demo dance", 2),
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
        "demo somewhere",
        "demo ring somewhere",
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
        ("demo dance", "vmem demo"),
        ("bench somewhere", "vmem bench"),
        ("bench --gib x", "vmem bench"),
        ("bench --gib 0", "vmem bench"),
    ],
)
def test_wrong_arguments_show_the_usage_of_their_command(arguments: str, program: str) -> None:
    lines = run_vmem(*arguments.split()).stderr.splitlines()
    assert lines[0].startswith(f"usage: python -m {program} [-h]")
    assert lines[-1].startswith(f"python -m {program}: error: ")


# A benchmark has filled several times so much memory when it makes its first region.
@pytest.mark.parametrize("command", ["demo", pytest.param("bench --gib 0.015625", marks=pytest.mark.many_addresses)])
def test_an_interrupted_command(command: str) -> None:
    printed = run_python(
        """
        import signal, sys
        from vmem.__main__ import main
        signal.signal(signal.SIGINT, signal.default_int_handler)  # shells make background jobs ignore it
        sys.addaudithook(lambda event, _: event == "vmem.reserve" and signal.raise_signal(signal.SIGINT))
        sys.exit(main(sys.argv[1:]))
        """,
        *command.split(),
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
    for command in ("vmem", "vmem --json", "vmem --help", "vmem demo array"):
        done = run_in_shell(f"({command}; echo $? >&2) | true")
        assert done.stderr == "0\n"


@posix_only
def test_without_standard_output() -> None:
    for command in ("vmem", "vmem --json", "vmem --version", "vmem demo array"):
        done = run_in_shell(f"{command} >&-")
        assert (done.returncode, done.stderr) == (0, "")


@posix_only
def test_without_standard_error() -> None:
    done = run_in_shell("vmem demo --json array 2>&-")
    assert done.returncode == 0
    assert json.loads(done.stdout)["array"]["is_right"]
    assert run_in_shell("vmem demo --json dance 2>&-").returncode == 2


@linux_only
def test_a_full_disk() -> None:
    for command in ("vmem", "vmem --json", "vmem --help", "vmem demo array"):
        done = run_in_shell(f"{command} > /dev/full")
        assert (done.returncode, done.stderr) == (1, "vmem: [Errno 28] No space left on device\n")


@posix_only
def test_an_ascii_terminal(tmp_path: Path) -> None:
    package = shutil.copytree(Path(vmem.__file__).parent, tmp_path / "søppel" / "vmem")
    for command, status, num_lines in (("", 0, 0), ("--include-dir", 1, 1), ("demo søppel", 2, 2)):
        done = run_vmem(*command.split(), PYTHONIOENCODING="ascii", PYTHONPATH=str(package.parent))
        assert done.returncode == status
        assert len(done.stderr.splitlines()) == num_lines
