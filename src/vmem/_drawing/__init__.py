"""Memory maps as text and as pictures. Imported when a map is drawn.

`scale` places the parts of a map on a line of cells, `lanes` finds what each cell shows, `words` describes maps and
their parts, `text` draws for terminals and `svg` for notebooks.
"""
