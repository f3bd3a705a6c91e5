"""What the reference shows of classes and functions beside their docstrings: types in signatures, tables of methods.

The types come from the stub of the extension and from the annotations of the Python layer, by their names.
"""

import ast
import functools
import inspect
import re
from pathlib import Path

from sphinx.application import Sphinx

import vmem

SOURCES = [
    Path(__file__).parents[1] / "src" / "vmem" / name
    for name in ("_vmem.pyi", "_region.py", "_memory.py", "_files.py", "_about.py")
]

Function = ast.FunctionDef

# The words of the stub that only type checkers need, and the words for them here.
WORDS = {
    "SupportsIndex": "int",
    "_Item": "float",
    "_RingItem": "float",
    "_Items": "Buffer | Iterable",
    "_SupportsRead": "BinaryIO",
    "_SupportsWrite": "BinaryIO",
    "_SupportsArrowStream": "SupportsArrowStream",
    "_StructuredArray": "numpy.ndarray",
    "_Scope": "AbstractContextManager[Arena]",
    "CapsuleType": "object",
    "Self": "",
    "NoReturn": "",
}


@functools.cache
def read_functions() -> dict[str, Function]:
    """All functions and methods by their names: ``Array.append``. Of several overloads, the last one."""
    found = dict[str, Function]()
    for source in SOURCES:
        for node in ast.parse(source.read_text(encoding="utf-8")).body:
            if isinstance(node, Function):
                found[node.name] = node
            elif isinstance(node, ast.ClassDef):
                found |= {f"{node.name}.{each.name}": each for each in node.body if isinstance(each, Function)}
    return found


def find_function(name: str) -> Function | None:
    functions = read_functions()
    return next((functions[each] for each in (name, f"{name}.__new__", f"{name}.__init__") if each in functions), None)


def describe_type(annotation: ast.expr | None) -> str:
    if annotation is None or ast.unparse(annotation) == "None":
        return ""
    text = annotation.value if isinstance(annotation, ast.Constant) else ast.unparse(annotation)
    return re.sub(r"[\w.]+", lambda word: WORDS.get(word[0], word[0]), str(text))


def describe_arguments(function: Function) -> str:
    arguments = function.args
    for part in (arguments.posonlyargs, arguments.args, arguments.kwonlyargs):
        for each in part:
            if each.annotation:
                each.annotation = ast.parse(describe_type(each.annotation) or "None", mode="eval").body
    for part in (arguments.posonlyargs, arguments.args):
        if part and part[0].arg in ("self", "cls"):
            del part[0]
    return f"({ast.unparse(arguments).replace('...', '()').removeprefix('/, ')})"


def add_types(
    app: Sphinx, what: str, name: str, value: object, options: object, signature: str | None, returned: str | None
) -> tuple[str, str] | None:
    function = find_function(name.removeprefix("vmem."))
    if function is None or signature is None or what == "attribute":
        return None
    if what == "class" and function.args.vararg:  # which raises, because a function makes the objects
        return "", ""
    return describe_arguments(function), "" if what == "class" else describe_type(function.returns)


def add_methods(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """A table of the methods of a class, with links, below the first line of its docstring."""
    if what != "class" or not isinstance(value, type):
        return
    public = [getattr(vmem, each) for each in vmem.__all__]
    inherited = {each for base in value.__mro__[1:] if base in public for each in dir(base)} - set(vars(value))
    methods = [
        each
        for each in dir(value)
        if not each.startswith("_") and each not in inherited and inspect.isroutine(inspect.getattr_static(value, each))
    ]
    if value.__name__ in dir(vmem) and len(methods) > 2 and not issubclass(value, int | tuple):
        end = lines.index("") if "" in lines else len(lines)
        table = [f"   ~{value.__name__}.{each}" for each in methods]
        lines[end:end] = ["", ".. autosummary::", "   :nosignatures:", "", *table, ""]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-signature", add_types)
    app.connect("autodoc-process-docstring", add_methods)
    return {"parallel_read_safe": True}
