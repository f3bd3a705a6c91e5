"""Programs that bundle Python and vmem: made by PyInstaller, and zip files that unpack themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipapp
from collections.abc import Sequence
from pathlib import Path

import pytest

import vmem

DEMO = """\
import sys
from vmem.__main__ import main
sys.exit(main())
"""

# The system's loader takes extensions from files only, so such programs unpack themselves before they begin.
SELF_EXTRACTING_DEMO = f"""\
import sys, tempfile, zipfile
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    zipfile.ZipFile(sys.argv[0]).extractall(folder)
    sys.path.insert(0, folder)
    import vmem._vmem
    assert vmem._vmem.__file__.startswith(folder), vmem._vmem.__file__
    exec({DEMO!r})
"""


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Runs a command without this environment's PATH, PYTHON* and LD_* variables, and returns its standard output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LD_", "PATH"))}
    if sys.platform != "win32":
        environment["PATH"] = "/usr/bin:/bin"
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def check_demo(command: Sequence[str | Path], folder: Path) -> None:
    assert run([*command, "--version"], folder).strip() == vmem.__version__
    facts = json.loads(run([*command, "demo", "--json"], folder))
    assert facts["array"]["is_right"]
    assert facts["shared"] is None or facts["shared"]["num_items"] == 1 << 20, "a second process of the bundle reads it"


def test_one_file_by_pyinstaller(tmp_path: Path) -> None:
    pytest.importorskip("PyInstaller", reason="PyInstaller is not installed")
    script = tmp_path / "demo.py"
    script.write_text(DEMO)
    run([sys.executable, "-m", "PyInstaller", "--onefile", "--noconfirm", "--log-level=ERROR", script], tmp_path)
    (program,) = (tmp_path / "dist").iterdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    check_demo([program.rename(elsewhere / program.name)], elsewhere)


def test_a_zip_file_that_unpacks_itself(tmp_path: Path) -> None:
    source = tmp_path / "source"
    package = Path(vmem.__file__).parent
    for path in package.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = source / "vmem" / path.relative_to(package)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (source / "__main__.py").write_text(SELF_EXTRACTING_DEMO)
    zipapp.create_archive(source, tmp_path / "demo.pyz")
    check_demo([sys.executable, "-I", "-S", tmp_path / "demo.pyz"], tmp_path)
