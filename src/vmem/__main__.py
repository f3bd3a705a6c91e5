"""``vmem`` and ``python -m vmem``: facts about this machine, options for builds, the demo and the benchmark.

Each command imports what only it needs when it runs, so that the facts are printed at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import suppress

from vmem._about import __version__, find_folder, get_include
from vmem._command import CommandError, complain
from vmem._report import collect_facts, describe_facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

EPILOG = "exit status: 0 success, 1 failure, 2 wrong arguments, 130 interrupted"

# --- options for builds ---


def require_folder(folder: str) -> str:
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"this installation lacks the folder {folder}")
    return folder


def quote(words: list[str]) -> str:
    """Words in one line for the shell of this system, in quotation marks where it needs them."""
    if sys.platform == "win32":
        import subprocess

        return subprocess.list2cmdline(words)
    import shlex

    return shlex.join(words)


def describe_includes() -> str:
    import sysconfig

    paths = sysconfig.get_paths()
    folders = [paths["include"], paths["platinclude"], require_folder(get_include())]
    return quote([f"-I{folder}" for folder in dict.fromkeys(folders)])


QUERIES: dict[str, tuple[Callable[[], str], str]] = {
    "--version": (lambda: __version__, "the version"),
    "--includes": (describe_includes, "compiler options for the headers of vmem and Python"),
    "--include-dir": (lambda: require_folder(get_include()), "the folder of vmem.h, vmem_arena.h and vmem_python.h"),
    "--cmakedir": (
        lambda: require_folder(find_folder("share", "cmake", "vmem")),
        "the folder of the CMake package, for vmem_DIR",
    ),
    "--pkgconfigdir": (
        lambda: require_folder(find_folder("share", "pkgconfig")),
        "the folder of vmem.pc, for PKG_CONFIG_PATH",
    ),
}

# --- arguments ---


def make_parser() -> argparse.ArgumentParser:
    is_module = os.path.basename(sys.argv[0]) == "__main__.py"
    parser = argparse.ArgumentParser(
        prog="python -m vmem" if is_module else "vmem",
        description="Facts about this machine's virtual memory.",
        epilog=EPILOG,
    )
    prints = parser.add_mutually_exclusive_group()
    prints.add_argument("--json", action="store_true", help="print JSON")
    for option, (_, what) in QUERIES.items():
        prints.add_argument(option, dest="query", action="store_const", const=option, help=f"print {what}")
    parser.set_defaults(parser=parser)  # a command sets its own
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    add_demo(
        commands.add_parser(
            "demo",
            help="draw what each type does",
            description="Draws the memory of each type after a few lines of code, which it shows.",
            epilog=EPILOG,
        )
    )
    add_bench(
        commands.add_parser(
            "bench",
            help="measure the performance of vmem, in half a minute",
            description="Measures vmem side by side with what one would use without it: NumPy arrays that are doubled, "
            "np.memmap, SharedMemory, np.roll, lists of tuples.",
            epilog=EPILOG,
        )
    )
    return parser


def add_demo(parser: argparse.ArgumentParser) -> None:
    add_common(parser)
    parser.add_argument(
        "types", nargs="*", metavar="TYPE", help="region, array, arena, ring, table or shared; default: all of them"
    )


def add_bench(parser: argparse.ArgumentParser) -> None:
    add_common(parser)
    parser.add_argument("--gib", type=float, help="memory to fill, in GiB; default: 0.5, or less if memory is short")


def add_common(parser: argparse.ArgumentParser) -> None:
    """The arguments of all commands. --json has no default here, which would override --json before the command."""
    parser.set_defaults(parser=parser)
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


# --- commands ---


def print_facts(as_json: bool) -> None:
    if as_json:
        print(json.dumps(collect_facts(), indent=2))
        return
    for label, text in describe_facts():
        print(f"{label:<26}{text}")


def print_demo(names: list[str], as_json: bool, parser: argparse.ArgumentParser) -> None:
    from vmem._demo import TITLES, run
    from vmem._demo_ring import can_be_live

    if unknown := [name for name in names if name not in TITLES]:
        parser.error(f"there is no demo of {unknown[0]!r}, but of {', '.join(TITLES)}")

    def write(line: str) -> None:
        if not as_json:
            print(line, flush=True)

    facts = run(names or list(TITLES), write, live=names == ["ring"] and not as_json and can_be_live())
    if as_json:
        print(json.dumps(facts, indent=2))


def print_benchmark(gib: float | None, as_json: bool, parser: argparse.ArgumentParser) -> None:
    from vmem._bench.headline import WANTED_BYTES, run
    from vmem._bench.measuring import choose_size

    try:
        num_bytes = choose_size(gib, WANTED_BYTES)
    except ValueError as error:
        parser.error(str(error))
    run(num_bytes, as_json)


# --- running ---


def run(arguments: list[str] | None) -> None:
    parser = make_parser()
    options, unknown = parser.parse_known_args(arguments)
    if options.command and options.query:
        parser.error(f"argument COMMAND: not allowed with argument {options.query}")
    if unknown:  # parse_args() would show the usage of the program, not of the command
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if options.query:
        answer, _ = QUERIES[options.query]
        print(answer())
    elif options.command == "demo":
        print_demo(options.types, options.json, options.parser)
    elif options.command == "bench":
        print_benchmark(options.gib, options.json, options.parser)
    else:
        print_facts(options.json)


def flush() -> None:
    """Flush standard output while a failure can be reported. The flush at exit then goes to the null device."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def status_of(action: Callable[[], object]) -> int:
    """Run an action, report its failure on standard error, and return the exit status."""
    try:
        action()
    except BrokenPipeError:  # the reader has closed the pipe, as head does
        return 0
    except (CommandError, OSError, UnicodeEncodeError) as error:
        complain(str(error))
        return 1
    except MemoryError:  # Python's own, without a message; OutOfMemoryError is an OSError
        complain("out of memory")
        return 1
    except SystemExit as end:  # argparse exits after --help and wrong arguments
        return int(end.code or 0)
    except KeyboardInterrupt:
        return 130
    return 0


def main(arguments: list[str] | None = None) -> int:
    if getattr(sys, "frozen", False):  # the demo starts a second process, which a bundled program has to tell apart
        from multiprocessing import freeze_support

        freeze_support()
    status = status_of(lambda: run(arguments))
    if status == 0:
        return status_of(flush)
    with suppress(OSError):  # the first failure determines the status
        flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
