"""``vmem demo``: the picture of each type; of files, its result, its text, and the files and limits that it refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import vmem
from tests.support.marks import can_share, linux_only, needs_shared_memory, posix_only
from tests.support.processes import run_python
from tests.support.processes import run_vmem as run
from vmem import _demo_of_sharing
from vmem._command import CommandError
from vmem._demo import FileBuffer
from vmem._demo_tour import TITLES
from vmem._demo_tour import run as run_tour
from vmem._vmem import Array

MIB = 1 << 20


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with files of many sizes, 12 MiB in all. Two are empty."""
    folder = tmp_path / "files"
    (folder / "deeper").mkdir(parents=True)
    for number, size in enumerate((0, 1, 4095, 4096, 4097, 3 * MIB, 0, 9 * MIB + 5, 100)):
        (folder / ("deeper" if number % 2 else ".") / f"{number}.bin").write_bytes(os.urandom(size))
    return folder


# --- a picture of each type ---


@pytest.mark.many_addresses
def test_a_picture_of_each_type() -> None:
    done = run("demo", PYTHONIOENCODING="ascii", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    titles = "|".join(re.escape(f"{name}: {title}") for name, title in TITLES.items())
    empty, *parts = re.split(rf"^({titles})\n\n", done.stdout, flags=re.MULTILINE)
    assert empty == ""
    assert parts[::2] == [f"{name}: {title}" for name, title in TITLES.items()]
    chapters = dict(zip(TITLES, parts[1::2], strict=True))
    for name in ("region", "array", "arena", "table"):
        assert re.search(r"^memory +[#%+]+\.+", chapters[name], re.MULTILINE), name
        assert re.search(r"^views +=+", chapters[name], re.MULTILINE), name
        assert re.search(rf"^{name}: .* reserved, .* committed, ", chapters[name], re.MULTILINE), name
    assert "(50000, 0.5, 'grows on')" in chapters["table"]
    if can_share():
        assert re.search(r"^writes  #+\nsees    \|.*\|$", chapters["shared"], re.MULTILINE)
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.many_addresses
def test_the_code_that_is_shown_runs() -> None:
    printed = run("demo", "array", "arena", COLUMNS="80").stdout
    blocks = re.findall(r"^\w+: .*\n\n((?:    .*\n)+)\n", printed, re.MULTILINE)
    assert [block.count("assert ") for block in blocks] == [1, 1]
    for block in blocks:
        run_python(f"import vmem\n{textwrap.dedent(block)}")


@pytest.mark.many_addresses
def test_facts_about_each_type() -> None:
    done = run("demo", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["region"] == {"reserved": 1 << 40, "committed": 28 * MIB}
    assert facts["array"] == {"num_items": 1_000_002, "is_right": True}
    assert facts["arena"] == {"used_in_scope": MIB + 100 * 65536, "used": MIB}
    assert facts["table"] == {"num_rows": 50_001}
    assert facts["ring"]["is_right"]
    assert facts["seconds"] > 0
    assert list(facts) == [*TITLES, "seconds"]


def test_some_of_the_types() -> None:
    facts = json.loads(run("demo", "ring", "array", "--json").stdout)
    assert list(facts) == ["ring", "array", "seconds"]


def test_what_this_system_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NotImplementedError("no rings here")

    monkeypatch.setattr("vmem._demo_ring.run", refuse)
    lines: list[str] = []
    assert run_tour(["ring"], lines.append)["ring"] is None
    assert lines[-1] == "no rings here"


# --- files ---


def test_given_files(files: Path) -> None:
    done = run("demo", "--json", str(files))
    result = json.loads(done.stdout)
    sizes = [path.stat().st_size for path in files.rglob("*") if path.is_file()]
    assert (result["num_files"], result["num_bytes"]) == (9, sum(sizes))
    assert result["num_verified"] == 7, "empty files have no views"
    assert sum(sizes) <= result["full"]["committed"] < sum(sizes) + 2 * MIB
    assert sum(sizes) <= result["full"]["resident"] <= result["full"]["committed"]
    decommitted = result["full"]["committed"] - result["half"]["committed"]
    assert abs(sum(sizes) // 2 - decommitted) <= 64 * 1024, "half of it, in whole pages of up to 64 KiB"
    assert result["half"]["resident"] <= result["half"]["committed"]


@linux_only
@pytest.mark.exact_memory
def test_the_memory_of_the_process_shrinks(files: Path) -> None:
    result = json.loads(run("demo", "--json", str(files)).stdout)
    full, half = result["full"], result["half"]
    assert full["process_writable"] - half["process_writable"] >= full["committed"] - half["committed"] - MIB


def test_the_printed_text(files: Path) -> None:
    done = run("demo", str(files), PYTHONIOENCODING="ascii", COLUMNS="80")
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Reserved ")
    assert lines[1] == "Read 9 files, 12.0 MiB, and took a view of each that is not empty."
    assert lines[2] == "Checked 7 early views: each still shows its file, by SHA-256."
    full, half = (line for line in lines if line.startswith("memory "))
    assert re.fullmatch(r"memory +[#%+]+\.+", full)
    assert re.fullmatch(r"memory +[#%+]+\.+[#%+]+\.+", half)
    released = r"^Released (\d) views? and decommitted the middle half, 6(?:\.0)? MiB\.$"
    (num_released,) = re.findall(released, done.stdout, re.MULTILINE)  # the number depends on the size of pages
    rest = f"{7 - int(num_released)} views"
    assert f"Checked the other {rest} again." in lines
    assert [line.split(", ")[-1] for line in lines if line.startswith("region 'demo': ")] == ["7 views", rest]
    assert max(map(len, lines)) <= 80
    assert re.fullmatch(r"Released the .+iB\.", lines[-1])


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    lines = run("demo", str(tmp_path), COLUMNS="80").stdout.splitlines()
    assert lines[1] == "Read 1 file, 0 B, and took a view of each that is not empty."
    assert "Released 0 views and decommitted the middle half, 0 B." in lines
    assert "Checked the other 0 views again." in lines
    assert [line.split(", ")[-1] for line in lines if line.startswith("region 'demo': ")] == ["0 views", "0 views"]


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_half_a_gibibyte_of_addresses(files: Path) -> None:
    done = run("demo", str(files), limit=512 * MIB)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("This process cannot reserve 1 TiB (see ulimit -v), so it reserves less.\n")
    assert "Checked 7 early views" in done.stdout


@linux_only
@pytest.mark.exact_memory
def test_too_few_addresses_for_the_files(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(256 * MIB)
    done = run("demo", str(tmp_path), limit=256 * MIB)
    assert done.returncode == 1
    assert re.fullmatch(r"vmem: the files need 256 MiB, but only [\d.]+ MiB of addresses are available\n", done.stderr)


@pytest.mark.many_addresses
@linux_only
def test_more_files_than_memory(tmp_path: Path) -> None:
    """They are refused before the first is read, because filling memory would harm other programs."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 43)
    done = run("demo", str(tmp_path))
    assert done.returncode == 1
    assert re.fullmatch(r"vmem: the files need 8 TiB, but only [\d.]+ [MGT]iB of memory are available\n", done.stderr)


def test_a_file_that_grows_beyond_the_capacity(tmp_path: Path, page: int) -> None:
    (tmp_path / "small").write_bytes(bytes(3 * page))
    with vmem.reserve(4 * page) as region:
        buffer = FileBuffer(region, capacity=2 * page)
        with pytest.raises(CommandError, match=f"the files do not fit into {2 * page // 1024} KiB"):
            buffer.add(tmp_path / "small")
        assert (buffer.used, buffer.files) == (2 * page, [])


def test_missing_files(tmp_path: Path) -> None:
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


def test_files_beside_what_is_decommitted_keep_their_views(tmp_path: Path, page: int) -> None:
    with vmem.reserve(8 * page) as region:
        buffer = FileBuffer(region, region.size)
        for number in range(4):
            path = tmp_path / str(number)
            path.write_bytes(bytes([number]) * page)
            buffer.add(path)
        assert buffer.remove(page, 3 * page) == 2
        assert [file.path.name for file in buffer.files] == ["0", "3"]
        assert [file.view[0] for file in buffer.files] == [0, 3]
        assert not region.is_committed(page, 1)
        assert not region.is_committed(3 * page - 1, 1)
        for file in buffer.files:
            file.view.release()


# --- a ring ---


def test_a_ring() -> None:
    result = json.loads(run("demo", "ring", "--json").stdout)["ring"]
    assert result["total"] - result["oldest"] == result["capacity"] == 65536
    assert result["crosses_the_end"]
    assert result["is_right"]


def test_the_picture_of_a_ring() -> None:
    done = run("demo", "ring", PYTHONIOENCODING="ascii", COLUMNS="60")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[2] == "Made a ring of 65,536 samples: 256 KiB of memory, mapped twice in a row."
    picture = lines[lines.index("The newest 4,096, as one view:") + 2 :][:11]
    assert all(re.fullmatch("[# ]{1,59}", line) for line in picture)
    assert {column for line in picture for column in range(len(line)) if line[column] == "#"} == set(range(59))
    assert "^" in lines[lines.index(picture[-1]) + 1]


@posix_only
def test_the_signal_runs_on_a_terminal() -> None:
    import pty

    terminal, child_end = pty.openpty()
    command = "import vmem._demo_ring as demo; demo.SECONDS = 0.5; demo.run(print, live=demo.can_be_live())"
    with subprocess.Popen([sys.executable, "-c", command], stdout=child_end, stderr=subprocess.PIPE) as process:
        os.close(child_end)
        shown = ""
        try:
            while part := os.read(terminal, 1 << 16).decode():
                shown += part
        except OSError:  # how Linux says that the other end is closed
            pass
        assert (process.wait(), process.stderr.read() if process.stderr else b"") == (0, b"")
    os.close(terminal)
    assert shown.count("\x1b[11A") == 12


# --- the second process ---


@needs_shared_memory
def test_a_second_process_reads_what_the_first_one_grows() -> None:
    shared = json.loads(run("demo", "--json", "shared").stdout)["shared"]
    assert shared["num_items"] == 1 << 20
    assert 2 <= shared["num_lengths"] <= 65


@needs_shared_memory
def test_what_is_printed_of_the_second_process() -> None:
    grew, saw = run("demo", "shared").stdout.splitlines()[-2:]
    assert grew == "Grew a shared array to 1048576 numbers while a second process read it:"
    assert re.fullmatch(r"it saw \d+ lengths, from 0 to 1048576, and every number was right\.", saw)


def test_the_drawing_of_the_lengths() -> None:
    writes, sees = _demo_of_sharing.draw({0, 1 << 19, 1 << 20}).splitlines()
    assert writes == f"writes  {'#' * 64}"
    assert sees == f"sees    |{' ' * 30}|{' ' * 31}|"


def test_a_look_checks_what_was_added() -> None:
    expected = Array("q", range(10))
    assert _demo_of_sharing.look(Array("q", [0, 1, 2]), expected, 1) == 3
    assert _demo_of_sharing.look(Array("q"), expected, 0) == 0
    with pytest.raises(ValueError, match="a number after 1 is wrong"):
        _demo_of_sharing.look(Array("q", [0, 1, 3]), expected, 1)


@needs_shared_memory
def test_a_second_process_that_fails() -> None:
    run_python(
        """
        from vmem import _demo_of_sharing
        from vmem._command import CommandError

        class Wrong:
            def __reduce__(self):
                return exit, (1,)

        _demo_of_sharing.watch = Wrong()
        try:
            _demo_of_sharing.run(print)
        except CommandError as error:
            assert str(error) == "the second process has ended too early"
        else:
            raise SystemExit("it raised nothing")
        """
    )


def test_without_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_keywords: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(_demo_of_sharing, "Array", refuse)
    lines: list[str] = []
    assert _demo_of_sharing.run(lines.append) is None
    assert lines == ["Here processes cannot share memory that has no name."]
