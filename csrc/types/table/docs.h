// The docstrings of Table and its methods.
#ifndef VMEM_TABLE_DOCS_H
#define VMEM_TABLE_DOCS_H

#include "python/compat.h"

PyDoc_STRVAR(
    table_doc,
    "Table(columns, *, capacity=None)\n--\n\n"
    "Columns that grow together and never move.\n\n"
    "Rows are recorded one by one or many at a time. Views of columns, arrays of NumPy over them and what Arrow was\n"
    "handed stay valid while the table grows. A row is there as a whole or not at all, also to other threads.\n\n"
    "The table reserves its addresses when it is made, and commits memory as it grows.\n\n"
    "Parameters\n"
    "----------\n"
    "columns : mapping of str to str\n"
    "    The names of the columns and the types of their items: a typecode of an `Array` (``'b'`` to ``'d'``) for\n"
    "    numbers, ``'?'`` for bools, ``'M8[s]'``, ``'M8[ms]'``, ``'M8[us]'`` or ``'M8[ns]'`` for times since 1970 and\n"
    "    ``'m8[s]'`` to ``'m8[ns]'`` for durations, which are ints, ``'str'`` or ``'bytes'``. With ``'|None'`` behind\n"
    "    it, as in ``'d|None'``, items can be None.\n"
    "capacity : int, optional\n"
    "    How many rows it can hold. By default as many as physical memory can.\n\n"
    "Attributes\n"
    "----------\n"
    "names : tuple of str\n"
    "    The names of the columns.\n"
    "capacity : int\n"
    "    How many rows it can hold.\n\n"
    "Raises\n"
    "------\n"
    "OutOfMemoryError\n"
    "    The system has no addresses for so many rows.\n"
    "ValueError, TypeError\n"
    "    A wrong argument.\n\n"
    "Notes\n"
    "-----\n"
    "Raises an auditing event ``vmem.reserve`` with arguments ``num_bytes`` and ``None``.\n\n"
    "Texts have room for as many bytes as there is physical memory, whatever the capacity. Where the address space is\n"
    "limited (``ulimit -v``) it is an eighth of what is left, for all columns together.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> table = vmem.Table({\"time\": \"M8[ns]\", \"speed\": \"d\", \"event\": \"str|None\"})\n"
    ">>> table.append(1_700_000_000_000_000_000, 2.5, None)\n"
    ">>> table.append(time=1_700_000_000_100_000_000, speed=3.5, event=\"lap\")\n"
    ">>> len(table), table[-1].event, max(table[\"speed\"])\n"
    "(2, 'lap', 3.5)");

PyDoc_STRVAR(append_doc,
             "append($self, /, *args, **kwargs)\n--\n\n"
             "Add a row: a value for each column, in their order or by their names.\n\n"
             "All of it is added or, when the call raises, nothing. Live views stay valid.\n\n"
             "Parameters\n"
             "----------\n"
             "*args, **kwargs : object\n"
             "    The values. Numbers are converted as by `Array`; times are ints; bools may also be 0 and 1.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Another thread is in shrink_to_fit().\n"
             "OutOfMemoryError\n"
             "    The table is full, or the system has no memory for more.\n"
             "TypeError, OverflowError, ValueError\n"
             "    A value does not fit its column, or there is not one for each; a note tells the column.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> table = vmem.Table({\"time\": \"q\", \"value\": \"d\"})\n"
             ">>> table.append(1, 0.5)\n"
             ">>> table.append(value=1.5, time=2)\n"
             ">>> list(table)\n"
             "[Row(time=1, value=0.5), Row(time=2, value=1.5)]");

PyDoc_STRVAR(
    extend_doc,
    "extend($self, columns, /)\n--\n\n"
    "Add many rows: all of them or, when the call raises, none. Live views stay valid.\n\n"
    "Parameters\n"
    "----------\n"
    "columns : mapping, sequence, structured array, or object with ``__arrow_c_stream__``\n"
    "    The items of all columns, by name or in order, as buffers or iterables of one length; or a data frame, a "
    "table\n"
    "    of Arrow, another `Table`, or whatever else streams Arrow data. Columns are matched by name. Numbers of "
    "other\n"
    "    types are converted as `append` would; those of Arrow only where none changes. Times have the column's unit;\n"
    "    from Arrow any, where none changes. NaT becomes None where that is allowed.\n\n"
    "Raises\n"
    "------\n"
    "BufferError\n"
    "    Another thread is in shrink_to_fit().\n"
    "OutOfMemoryError\n"
    "    The table would grow beyond its capacity, or the system has no memory for more.\n"
    "TypeError, OverflowError, ValueError\n"
    "    An item does not fit its column, or columns are missing, unknown, or of different lengths.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> table = vmem.Table({\"time\": \"q\", \"value\": \"d\"})\n"
    ">>> table.extend({\"time\": range(1000), \"value\": [0.5] * 1000})\n"
    ">>> table.extend([[1000], [1.5]])\n"
    ">>> table[-1]\n"
    "Row(time=1000, value=1.5)");

PyDoc_STRVAR(clear_doc,
             "clear($self, /)\n--\n\n"
             "Remove all rows. The memory stays committed, for others.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Views of columns are alive, with arrays or data frames made from them; it says how many.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> table = vmem.Table({\"time\": \"q\"})\n"
             ">>> table.append(1)\n"
             ">>> table.clear()\n"
             ">>> len(table)\n"
             "0");

PyDoc_STRVAR(shrink_to_fit_doc,
             "shrink_to_fit($self, /)\n--\n\n"
             "Give memory that holds no rows back to the system. The capacity stays the same.\n\n"
             "Views of columns stay valid: they show rows. Memory that was shown before clear() is emptied, and stays\n"
             "committed: consumers may still have its address.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Another thread is in the middle of this call.\n"
             "OutOfMemoryError\n"
             "    The process has too many mappings to split another one.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> table = vmem.Table({\"time\": \"q\"})\n"
             ">>> table.append(1)\n"
             ">>> table.clear()\n"
             ">>> table.shrink_to_fit()\n"
             ">>> table.map().committed\n"
             "0");

PyDoc_STRVAR(map_doc,
             "map($self, /)\n--\n\n"
             "A picture of the table as it is now: what is committed, in memory, locked and pinned by views.\n\n"
             "Print it, or display it in a notebook. It does not change with the table.\n\n"
             "Returns\n"
             "-------\n"
             "MemoryMap\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> table = vmem.Table({\"time\": \"q\"})\n"
             ">>> table.append(1)\n"
             ">>> table.map().kind, table.map().num_views\n"
             "('table', 0)");

PyDoc_STRVAR(
    table_to_arrow_doc,
    "__arrow_c_stream__($self, /, requested_schema=None)\n--\n\n"
    "The rows that there are now, for whatever takes Arrow data, without a copy. They stay as they are while the\n"
    "table grows.");

PyDoc_STRVAR(table_to_arrow_schema_doc,
             "__arrow_c_schema__($self, /)\n--\n\nThe names and types of the columns, for whatever takes Arrow data.");

PyDoc_STRVAR(reduce_doc, "__reduce__($self, /)\n--\n\nA table cannot be pickled nor copied.");

#endif
