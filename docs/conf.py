"""How Sphinx builds the documentation: `make docs`."""

import re
import sys
import types
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

import vmem

sys.path.insert(0, str(Path(__file__).parent))

project = "vmem"
author = "The vmem developers"
copyright = author  # noqa: A001  # Sphinx calls it so
version = release = vmem.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "header_reference",
    "map_example",
    "signatures",
]
exclude_patterns = ["releasing.md"]  # it is for who works on vmem

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
default_role = "py:obj"
python_maximum_signature_line_length = 70
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # signatures.py says them, of C too
autodoc_member_order = "bysource"
autosummary_generate = False
copybutton_exclude = ".linenos, .gp, .go"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "vmem"
html_copy_source = False
html_static_path = ["static"]
html_logo = "static/logo.svg"
html_favicon = "static/logo.svg"
html_css_files = ["vmem.css"]


def leave_out_getters(app: Sphinx, what: str, name: str, value: object, skip: bool, options: object) -> bool | None:
    """Attributes are described in their class's docstring, with their types."""
    is_getter = isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType)
    return True if is_getter else None


def link_calls(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Makes links of calls in single backticks; names in them are links without this."""
    lines[:] = [re.sub(r"(?<!`)`(\w+)\(\)`(?!`)", r":py:func:`\1`", line) for line in lines]


def leave_out_empty_heads(app: Sphinx, doctree: nodes.document) -> None:
    """Markdown has no tables without a head. Where nothing stands in it, it would be a thick line."""
    for head in list(doctree.findall(nodes.thead)):
        if not head.astext().strip():
            head.parent.remove(head)


def setup(app: Sphinx) -> None:
    app.connect("autodoc-skip-member", leave_out_getters)
    app.connect("autodoc-process-docstring", link_calls)
    app.connect("doctree-read", leave_out_empty_heads)
