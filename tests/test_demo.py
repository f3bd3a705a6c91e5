from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import linux_only, posix_only

MIB = 1 << 20


def run(*arguments: str, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Runs ``python -m vmem`` with these arguments, in `limit` bytes of address space."""

    def set_limit() -> None:
        import resource

        assert limit
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "vmem", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=set_limit if limit else None,
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with files of many sizes, 12 MiB in all, among them empty ones."""
    folder = tmp_path / "files"
    (folder / "deeper").mkdir(parents=True)
    for number, size in enumerate((0, 1, 4095, 4096, 4097, 3 * MIB, 0, 9 * MIB + 5, 100)):
        (folder / ("deeper" if number % 2 else ".") / f"{number}.bin").write_bytes(os.urandom(size))
    return folder


@pytest.mark.many_addresses
def test_the_standard_library_by_default() -> None:
    done = run("demo", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["wanted"] == 1 << 40
    assert result["num_verified"] == result["num_files"] > 500
    assert result["num_bytes"] > 5 * MIB
    assert done.stderr == ""


def test_given_files(files: Path) -> None:
    done = run("demo", "--json", str(files))
    result = json.loads(done.stdout)
    sizes = [path.stat().st_size for path in files.rglob("*") if path.is_file()]
    assert (result["num_files"], result["num_bytes"]) == (9, sum(sizes))
    assert result["num_verified"] == 9
    assert sum(sizes) <= result["full"]["committed"] < sum(sizes) + 2 * MIB
    assert sum(sizes) <= result["full"]["resident"] <= result["full"]["committed"]
    assert result["half"]["committed"] - sum(sizes) // 2 in range(64 * 1024 + 1)
    assert result["half"]["resident"] <= result["half"]["committed"]


@linux_only
def test_the_memory_of_the_process_goes_back(files: Path) -> None:
    result = json.loads(run("demo", "--json", str(files)).stdout)
    full, half = result["full"], result["half"]
    assert full["process_writable"] - half["process_writable"] >= full["committed"] - half["committed"] - MIB


def test_what_a_person_reads(files: Path) -> None:
    done = run("demo", str(files))
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Reserved ")
    assert "Read 9 files, 12.0 MiB, each with a view of it." in lines[1]
    assert lines[2] == "9 early views checked: every file is as it was read, by SHA-256."
    maps = [line.strip() for line in lines if line.startswith("  [")]
    assert len(maps) == 2
    assert maps[0].count("#") > maps[1].count("#") > 0
    assert maps[1].count(".") > maps[0].count(".") > 0
    assert max(map(len, lines)) <= 160
    assert lines[-1].startswith("Released")


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_half_a_gibibyte_of_addresses(files: Path) -> None:
    done = run("demo", str(files), limit=512 * MIB)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("This process may not have 1 TiB of addresses (ulimit -v), so it takes fewer.\n")
    assert "9 early views checked" in done.stdout


@linux_only
@pytest.mark.exact_memory
def test_too_few_addresses_for_the_files(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(256 * MIB)
    done = run("demo", str(tmp_path), limit=256 * MIB)
    assert done.returncode == 1
    assert done.stderr.startswith("vmem: the files do not fit into the ")
    assert len(done.stderr.splitlines()) == 1


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for path, message in (
        (str(tmp_path / "nothing"), "there is no file or folder"),
        (str(tmp_path), "there are no files"),
        ("", "there is no file or folder ''"),
        (os.devnull, f"{os.devnull!r} is neither a file nor a folder"),
    ):
        done = run("demo", path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"vmem: {message}")
        assert len(done.stderr.splitlines()) == 1


def test_facts() -> None:
    done = run()
    assert done.returncode == 0
    labels = [line[:26].strip() for line in done.stdout.splitlines()]
    assert labels[:4] == ["vmem", "page size", "allocation granularity", "huge page size"]


def test_facts_as_json() -> None:
    facts = json.loads(run("--json").stdout)
    assert facts["page_size"] >= 4096
    assert facts["limits"]["mapping_used"] >= 0


@linux_only
@pytest.mark.exact_memory
def test_the_facts_are_those_of_the_system() -> None:
    facts = json.loads(run("--json", limit=1 << 33).stdout)
    assert facts["limits"]["address_space_limit"] == 1 << 33
    assert 1 * MIB < facts["limits"]["address_space_used"] < 1 << 33
    assert facts["limits"]["mapping_limit"] == int(Path("/proc/sys/vm/max_map_count").read_text())
    assert facts["memory_total"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    assert 0 < facts["memory_available"] < facts["memory_total"]


def test_exit_status() -> None:
    assert run("--version").returncode == 0
    assert run("--help").returncode == 0
    assert run("dance").returncode == 2
    assert "exit status" in run("demo", "--help").stdout


@posix_only
def test_a_reader_that_stops_early() -> None:
    done = subprocess.run(f"{sys.executable} -m vmem | head -1", shell=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


@posix_only
def test_no_standard_output_at_all() -> None:
    for arguments in ("", "--json"):
        done = subprocess.run(
            f"{sys.executable} -m vmem {arguments} >&-", shell=True, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")


@linux_only
def test_a_file_that_cannot_be_read() -> None:
    done = run("demo", "/proc/self/mem")
    assert done.returncode == 1
    assert done.stderr == "vmem: cannot read '/proc/self/mem': Input/output error\n"


@posix_only
def test_progress_is_shown_on_a_terminal(files: Path) -> None:
    import pty

    terminal, child_end = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "vmem", "demo", str(files)], stdout=subprocess.PIPE, stderr=child_end, timeout=60
    )
    os.close(child_end)
    shown = os.read(terminal, 1 << 16).decode()
    os.close(terminal)
    assert done.returncode == 0
    assert "reading file 9 of 9" in shown
    assert "checking file 9 of 9" in shown
    assert shown.endswith("\r\x1b[K")
