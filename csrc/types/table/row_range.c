#include "types/table/row_range.h"

RowRange rows_clamp(const Table* table, RowRange range) {
    Py_ssize_t length = table_length(table);
    if (range.stop > length) range.stop = length;
    if (range.start > range.stop) range.start = range.stop;
    return range;
}

int rows_slice(const Table* table, RowRange range, PyObject* slice, RowRange* sliced) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(slice, &start, &stop, &step) < 0) return -1;
    if (step != 1) {
        PyErr_Format(PyExc_ValueError, "rows are sliced with a step of 1, not %zd", step);
        return -1;
    }
    range = rows_clamp(table, range);
    Py_ssize_t length = PySlice_AdjustIndices(range.stop - range.start, &start, &stop, step);
    *sliced = (RowRange){range.start + start, range.start + start + length};
    return 0;
}
