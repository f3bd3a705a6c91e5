"""The directive `vmem-map`: runs examples/draw_map.py and shows its map, as `text` or as a `picture`."""

import functools
import runpy
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst.directives import choice
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from vmem import MemoryMap
from vmem._drawing.text import draw_lines

PROGRAM = Path(__file__).parents[1] / "examples" / "draw_map.py"
COLUMNS = 80


@functools.cache
def make_map() -> MemoryMap:
    """The map of one run, for all directives: other runs have other addresses."""
    with redirect_stdout(StringIO()):
        memory: MemoryMap = runpy.run_path(str(PROGRAM))["memory"]
    return memory


class MapDirective(SphinxDirective):
    """Shows the text as a terminal of COLUMNS columns does, or the picture as notebooks do."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(PROGRAM))
        if choice(self.arguments[0], ("text", "picture")) == "text":
            text = "\n".join(draw_lines(make_map(), COLUMNS, in_unicode=True))
            return [nodes.literal_block(text, text, language="text")]
        return [nodes.raw("", f'<div class="map">{make_map()._repr_html_()}</div>', format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("vmem-map", MapDirective)
    return {"parallel_read_safe": True}
