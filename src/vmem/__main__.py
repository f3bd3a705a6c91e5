"""``python -m vmem``: facts about this machine, and the demo."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict

from vmem._about import __version__
from vmem._demo import DemoError, run
from vmem._report import collect_facts, describe_facts

EPILOG = "exit status: 0 done, 1 the system or a file refused, 2 wrong arguments, 130 interrupted"


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vmem", description="Facts about this machine's virtual memory.", epilog=EPILOG
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--json", action="store_true", help="print JSON")
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
    options = make_parser().parse_args(arguments)
    try:
        if options.command == "demo":
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
