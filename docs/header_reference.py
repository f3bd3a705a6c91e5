"""The directive `vmem-functions`: functions of csrc/vmem.h, from the comments above their declarations.

Its argument is a group of functions, by the name that the header's opening comment gives it under FUNCTIONS.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HEADER = Path(__file__).parents[1] / "csrc" / "vmem.h"
WORDS = ("returns", "fails", "threads", "systems")  # the fields that are not parameters


def read_groups(header: str) -> dict[str, list[str]]:
    """The names of the functions by group."""
    (section,) = re.findall(r"^FUNCTIONS\n(.*?)\n\n", header, re.DOTALL | re.MULTILINE)
    groups = re.findall(r"^ {4}(\w+) (.*(?:\n {5}.*)*)", section, re.MULTILINE)
    return {name: re.findall(r"vmem_\w+", functions) for name, functions in groups}


def read_functions(header: str) -> dict[str, tuple[str, list[str]]]:
    """The declarations of the functions, without VMEM_API, and the lines of the comments above them, by name."""
    found = re.findall(r"((?:^//.*\n)+)^VMEM_API ([^(]*?(\w+)\([^;{]*\));$", header, re.MULTILINE)
    functions = {}
    for comment, declaration, name in found:
        lines = [line.removeprefix("// ").removeprefix("//") for line in comment.splitlines()]
        functions[name] = (" ".join(declaration.split()), lines)
    return functions


def to_markup(text: str) -> str:
    """Text of a comment as reStructuredText: names in backticks become code, calls of vmem_ functions become links."""
    text = re.sub(r"([\\*|]|_(?!\w))", r"\\\1", text)
    text = re.sub(r"`(\w+)`|`", lambda match: f"``{match[1]}``" if match[1] else "\\`", text)
    return re.sub(r"\b(vmem_\w+)\(\)", r":c:func:`\1`", text)


def to_field_name(name: str) -> str:
    """A field's name: parameters become code, WORDS stay. One field can be about several parameters."""
    return name if name in WORDS else ", ".join(f"``{each}``" for each in name.split(", "))


def describe(declaration: str, comment: list[str]) -> list[str]:
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
    return [f".. c:function:: {declaration}", "", *(f"   {line}" for line in body), ""]


class FunctionsDirective(SphinxDirective):
    """All functions of a group. Markdown needs an `eval-rst` block around it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(HEADER))
        header = HEADER.read_text(encoding="utf-8")
        functions = read_functions(header)
        lines = [line for name in read_groups(header)[self.arguments[0]] for line in describe(*functions[name])]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("vmem-functions", FunctionsDirective)
    return {"parallel_read_safe": True}
