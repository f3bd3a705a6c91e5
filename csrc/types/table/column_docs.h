// The docstrings of Column and its methods.
#ifndef VMEM_TABLE_COLUMN_DOCS_H
#define VMEM_TABLE_COLUMN_DOCS_H

#include "python/compat.h"

PyDoc_STRVAR(
    column_doc,
    "A column of a table, as a view of it: what indexing a table with a name gives.\n\n"
    "It is a sequence whose length is that of the table, or of the rows that it was sliced from. Columns of numbers\n"
    "without None are read-only buffers too, so that ``np.asarray(column)`` is an array over the table's memory, of "
    "the\n"
    "rows that there are then. Columns of times become arrays of NumPy's times without a copy, with NaT for None; "
    "items\n"
    "are ints. Other columns export no buffer, because it could not say what it is: they are copied into arrays of "
    "bools or\n"
    "objects, and `values`, `offsets` and `validity` show how Arrow would lay them out.\n\n"
    "Attributes\n"
    "----------\n"
    "name : str\n"
    "    The name of the column.\n"
    "type : str\n"
    "    The type of the items, as the table was given it.\n"
    "values : memoryview\n"
    "    Read-only: the numbers; bools as bits, the first in the lowest bit of a byte; the bytes of all texts.\n"
    "offsets : memoryview or None\n"
    "    Of columns of texts: where in `values` each of them begins and, last, where the last one ends.\n"
    "validity : memoryview or None\n"
    "    Where None is allowed: bits, which are 0 for None.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> table = vmem.Table({\"time\": \"q\", \"value\": \"d\"})\n"
    ">>> column = table[\"value\"]\n"
    ">>> table.append(1, 0.5)\n"
    ">>> len(column), column[-1], memoryview(column).format\n"
    "(1, 0.5, 'd')");

PyDoc_STRVAR(column_tolist_doc,
             "tolist($self, /)\n--\n\n"
             "The items as a list.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> table = vmem.Table({\"name\": \"str|None\"})\n"
             ">>> table.extend({\"name\": [\"a\", None]})\n"
             ">>> table[\"name\"].tolist()\n"
             "['a', None]");

PyDoc_STRVAR(column_index_doc,
             "index($self, item, /)\n--\n\n"
             "The index of the first item that equals an object.\n\n"
             "Parameters\n"
             "----------\n"
             "item : object\n"
             "    What to look for.\n\n"
             "Raises\n"
             "------\n"
             "ValueError\n"
             "    There is none.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> table = vmem.Table({\"name\": \"str\"})\n"
             ">>> table.extend({\"name\": [\"a\", \"b\"]})\n"
             ">>> table[\"name\"].index(\"b\")\n"
             "1");

PyDoc_STRVAR(column_count_doc,
             "count($self, item, /)\n--\n\n"
             "How many items equal an object.\n\n"
             "Parameters\n"
             "----------\n"
             "item : object\n"
             "    What to look for.\n\n"
             "Raises\n"
             "------\n"
             "Exception\n"
             "    Whatever comparing raises.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> table = vmem.Table({\"is_valid\": \"?\"})\n"
             ">>> table.extend({\"is_valid\": [True, False, True]})\n"
             ">>> table[\"is_valid\"].count(True)\n"
             "2");

PyDoc_STRVAR(column_to_numpy_doc,
             "__array__($self, /, dtype=None, *, copy=None)\n--\n\n"
             "The column as an array of NumPy: without a copy for numbers without None, and for times.");

PyDoc_STRVAR(column_to_arrow_doc,
             "__arrow_c_array__($self, /, requested_schema=None)\n--\n\n"
             "The items that there are now, for whatever takes Arrow data, without a copy.");

PyDoc_STRVAR(column_to_arrow_schema_doc,
             "__arrow_c_schema__($self, /)\n--\n\nThe type of the items, for whatever takes Arrow data.");

PyDoc_STRVAR(column_release_buffer_doc,
             "__release_buffer__($self, buffer, /)\n--\n\n"
             "Do nothing: buffers belong to what they pin.");

PyDoc_STRVAR(column_values_doc, "The items as Arrow lays them out, as a read-only memoryview.");

PyDoc_STRVAR(column_offsets_doc, "Where the texts begin and end in `values`, as a read-only memoryview; else None.");

PyDoc_STRVAR(column_validity_doc, "Which items are not None, as a read-only memoryview of bits; else None.");

#endif
