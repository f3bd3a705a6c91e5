"""The directive `vmem-functions`: functions of the headers in csrc, from the comments above their declarations.

Its argument is a group of functions, by the name that a header's opening comment gives it under FUNCTIONS.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HEADERS = [Path(__file__).parents[1] / "csrc" / name for name in ("vmem.h", "vmem_arena.h")]
WORDS = ("returns", "fails", "threads", "systems")  # the fields that are not parameters


def read_groups(header: str) -> dict[str, list[str]]:
    """The names of the functions by group."""
    (section,) = re.findall(r"^FUNCTIONS\n(.*?)\n\n", header, re.DOTALL | re.MULTILINE)
    groups = re.findall(r"^ {4}(\w+) (.*(?:\n {5}.*)*)", section, re.MULTILINE)
    return {name: re.findall(r"vmem_\w+", functions) for name, functions in groups}


def read_functions(header: str) -> dict[str, tuple[str, list[str]]]:
    """The directives for functions and macros, and the lines of the comments above these, by name."""
    declared = r"VMEM_API (?P<function>[^(]*?\w+\([^;{]*\));$|#define (?P<macro>vmem_\w+\([^)]*\))"
    functions = {}
    for match in re.finditer(rf"(?P<comment>(?:^//.*\n)+)^(?:{declared})", header, re.MULTILINE):
        lines = [line.removeprefix("// ").removeprefix("//") for line in match["comment"].splitlines()]
        kind = "function" if match["function"] else "macro"
        declaration = " ".join(match[kind].split())
        (name,) = re.findall(r"(\w+)\(", declaration)[:1]
        functions[name] = (f"c:{kind}:: {declaration}", lines)
    return functions


def to_markup(text: str) -> str:
    """Text of a comment as reStructuredText: names in backticks become code, calls of vmem_ functions become links."""
    text = re.sub(r"([\\*|]|_(?!\w))", r"\\\1", text)
    text = re.sub(r"`(\w+)`|`", lambda match: f"``{match[1]}``" if match[1] else "\\`", text)
    return re.sub(r"\b(vmem_\w+)\(\)", r":c:func:`\1`", text)


def to_field_name(name: str) -> str:
    """A field's name: parameters become code, WORDS stay. One field can be about several parameters."""
    return name if name in WORDS else ", ".join(f"``{each}``" for each in name.split(", "))


def describe(directive: str, comment: list[str]) -> list[str]:
    """A function in reStructuredText. The comment is sentences, then fields: a name, at least two spaces, a text."""
    sentences, fields = [], []
    for line in comment:
        field = re.match(r"  (\S.*?) {2,}(\S.*)", line)
        if field:
            fields.append(f"   :{to_field_name(field[1])}: {to_markup(field[2])}")
        elif fields:
            fields.append(f"       {to_markup(line.strip())}")
        else:
            sentences.append(to_markup(line))
    # In a container, Sphinx does not turn the names into titles.
    body = [*sentences, "", ".. container:: fields", "", *fields]
    return [f".. {directive}", "", *(f"   {line}" for line in body), ""]


class FunctionsDirective(SphinxDirective):
    """All functions of a group. Markdown needs an `eval-rst` block around it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        lines = list[str]()
        for path in HEADERS:
            self.env.note_dependency(str(path))
            header = path.read_text(encoding="utf-8")
            functions = read_functions(header)
            for name in read_groups(header).get(self.arguments[0], []):
                lines += describe(*functions[name])
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("vmem-functions", FunctionsDirective)
    return {"parallel_read_safe": True}
