"""What to say when the extension cannot be imported. Imported only then."""

import platform
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path


def explain(error: ImportError) -> str:
    """A message that names the file which is missing, or cannot be loaded, and what can be done."""
    package = Path(__file__).parent
    found = sorted(path.name for path in package.glob("_vmem.*") if path.suffix in (".so", ".pyd"))
    wanted = " or ".join(f"_vmem{suffix}" for suffix in EXTENSION_SUFFIXES)
    interpreter = f"{platform.python_implementation()} {platform.python_version()} on {sysconfig.get_platform()}"
    problem = f"it has {', '.join(found)}" if found else "it has no such file"
    return (
        f"vmem cannot import its extension ({error}). {interpreter} looks for {wanted} in {package}, and {problem}. "
        f"Install pyvmem for this Python: {sys.executable or 'python'} -m pip install --force-reinstall pyvmem. "
        "Extensions cannot be loaded from zip files: unpack those first."
    )
