"""``vmem demo``: the picture of each type, its facts, and what it does where something is missing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap

import pytest

from tests.support.marks import can_share, linux_only, needs_shared_memory, posix_only
from tests.support.processes import run_python
from tests.support.processes import run_vmem as run
from vmem import _demo_of_sharing
from vmem._demo import TITLES
from vmem._demo import run as run_tour
from vmem._vmem import Array

MIB = 1 << 20


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


@pytest.mark.many_addresses
@linux_only
@pytest.mark.exact_memory
def test_half_a_gibibyte_of_addresses() -> None:
    done = run("demo", "region", limit=512 * MIB, COLUMNS="80")
    assert done.returncode == 0, done.stderr
    assert re.search(r"vmem\.reserve\(1 << 2[67]\)", done.stdout)
    assert re.search(r"^region: (64|128) MiB reserved, 28 MiB committed", done.stdout, re.MULTILINE)


@linux_only
@pytest.mark.exact_memory
def test_too_few_addresses() -> None:
    done = run("demo", "region", limit=128 * MIB)
    assert (done.returncode, done.stderr) == (1, "vmem: 128 MiB of addresses must be free (ulimit -v)\n")


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
    assert 2 <= shared["num_lengths"] <= (1 << 20) + 1  # those in the middle of an extend() are seen, too


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
