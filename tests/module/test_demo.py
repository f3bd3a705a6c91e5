from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vmem
from tests.support import linux_only, posix_only
from tests.support import run_vmem as run
from vmem._command import CommandError
from vmem._demo import Pile

MIB = 1 << 20


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
    assert result["num_verified"] == 7, "there are no views of the empty ones"
    assert sum(sizes) <= result["full"]["committed"] < sum(sizes) + 2 * MIB
    assert sum(sizes) <= result["full"]["resident"] <= result["full"]["committed"]
    back = result["full"]["committed"] - result["half"]["committed"]
    assert abs(sum(sizes) // 2 - back) <= 64 * 1024, "half of it, by whole pages of up to 64 KiB"
    assert result["half"]["resident"] <= result["half"]["committed"]


@linux_only
@pytest.mark.exact_memory
def test_the_memory_of_the_process_goes_back(files: Path) -> None:
    result = json.loads(run("demo", "--json", str(files)).stdout)
    full, half = result["full"], result["half"]
    assert full["process_writable"] - half["process_writable"] >= full["committed"] - half["committed"] - MIB


def test_what_a_person_reads(files: Path) -> None:
    done = run("demo", str(files), PYTHONIOENCODING="ascii", COLUMNS="80")
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Reserved ")
    assert lines[1] == "Read 9 files, 12.0 MiB, each with a view of it, but for what is empty."
    assert lines[2] == "7 early views checked: each still shows its file, by SHA-256."
    full, half = (line for line in lines if line.startswith("memory "))
    assert re.fullmatch(r"memory +[#%+]+\.+", full)
    assert re.fullmatch(r"memory +[#%+]+\.+[#%+]+\.+", half)
    dropped = r"Dropped (\d) views? of the middle half and decommitted it, 6(?:\.0)? MiB\.$"
    (num_dropped,) = re.findall(dropped, done.stdout, re.MULTILINE)  # how many depends on the size of pages
    rest = f"{7 - int(num_dropped)} views"
    assert f"{rest} of the rest checked again." in lines
    assert [line.split(", ")[-1] for line in lines if line.startswith("region 'demo': ")] == ["7 views", rest]
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("Released")


@pytest.mark.many_addresses
def test_whose_files_are_read_by_default() -> None:
    read = run("demo").stdout.splitlines()[1]
    assert re.fullmatch(r"Read \d+ files of this Python's own library, .* MiB, each with a view of it\.", read)


def test_a_file_with_nothing_in_it(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    lines = run("demo", str(tmp_path), COLUMNS="80").stdout.splitlines()
    assert lines[1] == "Read 1 file, 0 B, each with a view of it, but for what is empty."
    assert "Dropped 0 views of the middle half and decommitted it, 0 B." in lines
    assert "0 views of the rest checked again." in lines
    assert [line.split(", ")[-1] for line in lines if line.startswith("region 'demo': ")] == ["0 views", "0 views"]


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_half_a_gibibyte_of_addresses(files: Path) -> None:
    done = run("demo", str(files), limit=512 * MIB)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("This process may not have 1 TiB of addresses (ulimit -v), so it takes fewer.\n")
    assert "7 early views checked" in done.stdout


@linux_only
@pytest.mark.exact_memory
def test_too_few_addresses_for_the_files(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(256 * MIB)
    done = run("demo", str(tmp_path), limit=256 * MIB)
    assert done.returncode == 1
    assert re.fullmatch(
        r"vmem: the files have 256 MiB, but no more than [\d.]+ MiB of addresses are to be had\n", done.stderr
    )


@pytest.mark.many_addresses
@linux_only
def test_more_files_than_memory(tmp_path: Path) -> None:
    """They are refused before the first is read: memory would be taken from all others."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 43)
    done = run("demo", str(tmp_path))
    assert done.returncode == 1
    assert re.fullmatch(
        r"vmem: the files have 8 TiB, but no more than [\d.]+ [MGT]iB of memory are available\n", done.stderr
    )


def test_a_file_that_grows_beyond_what_there_is(tmp_path: Path, page: int) -> None:
    (tmp_path / "small").write_bytes(bytes(3 * page))
    with vmem.reserve(4 * page) as region:
        pile = Pile(region, room=2 * page)
        with pytest.raises(CommandError, match=f"the files do not fit into {2 * page // 1024} KiB"):
            pile.add(tmp_path / "small")
        assert (pile.used, pile.files) == (2 * page, [])


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
    assert "checking file 7 of 7" in shown
    assert shown.endswith("\r\x1b[K")
