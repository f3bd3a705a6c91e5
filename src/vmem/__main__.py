"""``python -m vmem``: facts about this machine, what builds of native code ask, and the demo."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import sysconfig
from dataclasses import asdict
from pathlib import Path

from vmem._about import __version__, find_folder, get_include
from vmem._demo import DemoError, run
from vmem._report import collect_facts, describe_facts

FOLDERS = {
    "--include-dir": (get_include(), "the folder of vmem.h and vmem_python.h"),
    "--cmakedir": (find_folder("share", "cmake", "vmem"), "the folder of the CMake package, for vmem_DIR"),
    "--pkgconfigdir": (find_folder("share", "pkgconfig"), "the folder of vmem.pc, for PKG_CONFIG_PATH"),
}

EPILOG = "exit status: 0 done, 1 the system or a file refused, 2 wrong arguments, 130 interrupted"


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vmem", description="Facts about this machine's virtual memory.", epilog=EPILOG
    )
    prints = parser.add_mutually_exclusive_group()
    prints.add_argument("--version", action="version", version=__version__, help="print the version")
    prints.add_argument("--json", action="store_true", help="print JSON")
    prints.add_argument(
        "--includes", action="store_true", help="print a compiler's options for the headers of vmem and Python"
    )
    for option, (_, what) in FOLDERS.items():
        prints.add_argument(option, dest="folder", action="store_const", const=option, help=f"print {what}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="reserve 1 TiB and grow real files into it",
        description="Reserves 1 TiB of addresses, or what the process may have, and grows files into it under views.",
        epilog=EPILOG,
    )
    demo.add_argument("paths", nargs="*", metavar="PATH", help="files or folders; default: this Python's own sources")
    demo.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    return parser


def require_folder(option: str) -> str:
    folder, _ = FOLDERS[option]
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"this installation lacks the folder {folder}")
    return folder


def quote(words: list[str]) -> str:
    """Words as this system's shell takes them."""
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def describe_includes() -> str:
    paths = sysconfig.get_paths()
    folders = [paths["include"], paths["platinclude"], require_folder("--include-dir")]
    return quote([f"-I{folder}" for folder in dict.fromkeys(folders)])


def print_facts(as_json: bool) -> None:
    if as_json:
        print(json.dumps(collect_facts(), indent=2))
        return
    for label, text in describe_facts():
        print(f"{label:<26}{text}")


def print_demo(paths: list[str], as_json: bool) -> None:
    lines: list[str] = []
    if as_json:
        print(json.dumps(asdict(run(paths, write=lines.append)), indent=2))
    else:
        run(paths, write=lambda line: print(line, flush=True))


def main(arguments: list[str] | None = None) -> int:
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.command and (options.includes or options.folder):
        parser.error(f"argument COMMAND: not allowed with argument {options.folder or '--includes'}")
    try:
        if options.includes:
            print(describe_includes())
        elif options.folder:
            print(require_folder(options.folder))
        elif options.command == "demo":
            print_demo(options.paths, options.json)
        else:
            print_facts(options.json)
        print(end="", flush=True)  # while a broken pipe can still be handled
    except BrokenPipeError:  # the reader has seen enough; keep the interpreter from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (DemoError, OSError) as error:
        print(f"vmem: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
