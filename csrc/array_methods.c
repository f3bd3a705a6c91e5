// The methods of Array that have names: those of array.array, and what is Array's own.
#include "array.h"
#include "arguments.h"
#include "paging.h"
#include "survey.h"

static PyObject* none_unless(bool failed) { return failed ? NULL : Py_NewRef(Py_None); }

// An integer argument, refused in the words of array.array.
static int convert_ssize(PyObject* object, Py_ssize_t* result) {
    PyObject* number = PyNumber_Index(object);
    if (!number) return -1;
    *result = PyLong_AsSsize_t(number);
    Py_DECREF(number);
    return *result == -1 && PyErr_Occurred() ? -1 : 0;
}

// --- adding ---

PyDoc_STRVAR(append_doc,
             "append($self, item, /)\n--\n\n"
             "Put an item at the end. Live views stay valid.\n\n"
             "Parameters\n"
             "----------\n"
             "item : int or float\n"
             "    What to put there.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Memory is being given back, by shrink_to_fit() in another thread.\n"
             "OutOfMemoryError\n"
             "    The array would grow beyond its capacity, or the system has no memory for more.\n"
             "TypeError, OverflowError\n"
             "    An item does not fit the typecode.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('d')\n"
             ">>> early = memoryview(array)\n"
             ">>> array.append(1.5)\n"
             ">>> array\n"
             "Array('d', [1.5])");

static PyObject* array_append(Array* self, PyObject* object) {
    return none_unless(array_append_object(self, object) < 0);
}

PyDoc_STRVAR(
    extend_doc,
    "extend($self, iterable, /)\n--\n\n"
    "Put all items of an iterable at the end.\n\n"
    "Arrays of the same typecode, and other buffers whose items have that format, are copied at once. What an\n"
    "iterator gave before it failed stays.\n\n"
    "Parameters\n"
    "----------\n"
    "iterable : iterable\n"
    "    Where the items come from.\n\n"
    "Raises\n"
    "------\n"
    "BufferError\n"
    "    Memory is being given back, by shrink_to_fit() in another thread.\n"
    "OutOfMemoryError\n"
    "    The array would grow beyond its capacity, or the system has no memory for more.\n"
    "TypeError, OverflowError\n"
    "    An item does not fit the typecode.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> array = vmem.Array('i', [1, 2])\n"
    ">>> array.extend(array)\n"
    ">>> array.extend(range(3))\n"
    ">>> array\n"
    "Array('i', [1, 2, 1, 2, 0, 1, 2])");

static PyObject* array_extend_method(Array* self, PyObject* iterable) {
    return none_unless(array_extend(self, iterable) < 0);
}

PyDoc_STRVAR(insert_doc,
             "insert($self, index, item, /)\n--\n\n"
             "Put an item before the one at an index, which counts from the end when it is negative.\n\n"
             "The items behind it move up, also under live views, as in a list.\n\n"
             "Parameters\n"
             "----------\n"
             "index : int\n"
             "    Where to put it; what lies beyond an end is at that end.\n"
             "item : int or float\n"
             "    What to put there.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Memory is being given back, by shrink_to_fit() in another thread.\n"
             "OutOfMemoryError\n"
             "    The array would grow beyond its capacity, or the system has no memory for more.\n"
             "TypeError, OverflowError\n"
             "    An item does not fit the typecode.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('i', [1, 2])\n"
             ">>> array.insert(1, 9)\n"
             ">>> array.tolist()\n"
             "[1, 9, 2]");

static PyObject* array_insert(Array* self, PyObject* const* args, Py_ssize_t num_args) {
    char item[MAX_ITEM_SIZE];
    Py_ssize_t index;
    int status;
    if (num_args != 2) return PyErr_Format(PyExc_TypeError, "insert expected 2 arguments, got %zd", num_args);
    if (convert_ssize(args[0], &index) < 0) return NULL;
    if (self->type->set(item, args[1]) < 0) return NULL;
    VMEM_LOCK(self);
    if (index < 0) index = index + self->length < 0 ? 0 : index + self->length;
    if (index > self->length) index = self->length;
    status = array_splice(self, index, 0, item, 1);
    VMEM_UNLOCK();
    return none_unless(status < 0);
}

PyDoc_STRVAR(fromlist_doc,
             "fromlist($self, items, /)\n--\n\n"
             "Put all items of a list at the end, or none when one of them does not fit.\n\n"
             "Parameters\n"
             "----------\n"
             "items : list\n"
             "    What to put there.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Memory is being given back, by shrink_to_fit() in another thread.\n"
             "OutOfMemoryError\n"
             "    The array would grow beyond its capacity, or the system has no memory for more.\n"
             "TypeError, OverflowError\n"
             "    An item does not fit the typecode.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('i')\n"
             ">>> array.fromlist([1, 2])\n"
             ">>> array.tolist()\n"
             "[1, 2]");

// Converts into a copy first: converting can run Python code, and an array must not be seen half filled.
static PyObject* array_fromlist(Array* self, PyObject* list) {
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "arg must be list");
        return NULL;
    }
    Py_ssize_t num_items = PyList_Size(list), size = self->type->size;
    char* items = PyMem_Calloc((size_t)num_items + 1, (size_t)size);
    int status = 0;
    if (!items) return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < num_items && status == 0; i++) {
        PyObject* object = list_get_item(list, i);
        status = object ? self->type->set(items + i * size, object) : -1;
        Py_XDECREF(object);
        if (status == 0 && PyList_Size(list) != num_items) {
            PyErr_SetString(PyExc_RuntimeError, "list changed size during iteration");
            status = -1;
        }
    }
    if (status == 0) {
        VMEM_LOCK(self);
        status = array_splice(self, self->length, 0, items, num_items);
        VMEM_UNLOCK();
    }
    PyMem_Free(items);
    return none_unless(status < 0);
}

// --- removing ---

PyDoc_STRVAR(pop_doc,
             "pop($self, index=-1, /)\n--\n\n"
             "Take out the item at an index, by default the last one, and return it.\n\n"
             "Parameters\n"
             "----------\n"
             "index : int, default -1\n"
             "    Which one; it counts from the end when it is negative.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    A live view reaches to the end.\n"
             "IndexError\n"
             "    There is no such item.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.Array('i', [1, 2]).pop()\n"
             "2");

static PyObject* array_pop(Array* self, PyObject* const* args, Py_ssize_t num_args) {
    char item[MAX_ITEM_SIZE];
    Py_ssize_t index = -1;
    const char* problem = NULL;
    int status = -1;
    if (num_args > 1) return PyErr_Format(PyExc_TypeError, "pop expected at most 1 argument, got %zd", num_args);
    if (num_args == 1 && convert_ssize(args[0], &index) < 0) return NULL;
    VMEM_LOCK(self);
    if (index < 0) index += self->length;
    if (self->length == 0)
        problem = "pop from empty array";
    else if (index < 0 || index >= self->length)
        problem = "pop index out of range";
    if (!problem) {
        memcpy(item, array_item(self, index), (size_t)self->type->size);
        status = array_splice(self, index, 1, NULL, 0);
    }
    VMEM_UNLOCK();
    if (problem) PyErr_SetString(PyExc_IndexError, problem);
    return status < 0 ? NULL : self->type->get(item);
}

// --- searching ---

PyDoc_STRVAR(index_doc,
             "index($self, item, start=0, stop=sys.maxsize, /)\n--\n\n"
             "The index of the first item, from one index to another, that is equal to this one.\n\n"
             "Parameters\n"
             "----------\n"
             "item : object\n"
             "    What to look for.\n"
             "start : int, default 0\n"
             "    Where to begin; it counts from the end when it is negative.\n"
             "stop : int, optional\n"
             "    Where to end, by default at the end; it counts from the end when it is negative.\n\n"
             "Raises\n"
             "------\n"
             "ValueError\n"
             "    There is none.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.Array('i', [5, 6, 5]).index(5, 1)\n"
             "2");

static int convert_bound(Array* self, PyObject* object, Py_ssize_t* bound) {
    if (!PyIndex_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "slice indices must be integers or have an __index__ method");
        return -1;
    }
    *bound = PyNumber_AsSsize_t(object, NULL);
    if (*bound == -1 && PyErr_Occurred()) return -1;
    if (*bound < 0) *bound = *bound + self->length < 0 ? 0 : *bound + self->length;
    return 0;
}

static PyObject* array_index(Array* self, PyObject* const* args, Py_ssize_t num_args) {
    Py_ssize_t index = 0, stop = PY_SSIZE_T_MAX;
    if (num_args < 1 || num_args > 3)
        return PyErr_Format(PyExc_TypeError, "index expected from 1 to 3 arguments, got %zd", num_args);
    if (num_args > 1 && convert_bound(self, args[1], &index) < 0) return NULL;
    if (num_args > 2 && convert_bound(self, args[2], &stop) < 0) return NULL;
    int found = array_find(self, args[0], &index, stop);
    if (found > 0) return PyLong_FromSsize_t(index);
    if (found == 0) PyErr_SetString(PyExc_ValueError, "array.index(x): x not in array");
    return NULL;
}

PyDoc_STRVAR(count_doc,
             "count($self, item, /)\n--\n\n"
             "How many items are equal to this one.\n\n"
             "Parameters\n"
             "----------\n"
             "item : object\n"
             "    What to look for.\n\n"
             "Raises\n"
             "------\n"
             "Exception\n"
             "    What comparing an item with it raises.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.Array('i', [5, 6, 5]).count(5)\n"
             "2");

static PyObject* array_count(Array* self, PyObject* object) {
    Py_ssize_t count = 0, index = 0;
    int found;
    for (; (found = array_find(self, object, &index, PY_SSIZE_T_MAX)) > 0; index++) count++;
    return found < 0 ? NULL : PyLong_FromSsize_t(count);
}

PyDoc_STRVAR(remove_doc,
             "remove($self, item, /)\n--\n\n"
             "Take out the first item that is equal to this one.\n\n"
             "Parameters\n"
             "----------\n"
             "item : object\n"
             "    What to look for.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    A live view reaches to the end.\n"
             "ValueError\n"
             "    There is none.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('i', [5, 6, 5])\n"
             ">>> array.remove(5)\n"
             ">>> array.tolist()\n"
             "[6, 5]");

static PyObject* array_remove(Array* self, PyObject* object) {
    Py_ssize_t index = 0;
    int status = 0, found = array_find(self, object, &index, PY_SSIZE_T_MAX);
    if (found == 0) PyErr_SetString(PyExc_ValueError, "array.remove(x): x not in array");
    if (found <= 0) return NULL;
    VMEM_LOCK(self);
    if (index < self->length) status = array_splice(self, index, 1, NULL, 0);
    VMEM_UNLOCK();
    return none_unless(status < 0);
}

PyDoc_STRVAR(clear_doc,
             "clear($self, /)\n--\n\n"
             "Take out all items. Their memory is kept for the next ones; shrink_to_fit() gives it back.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    A view of items is alive. Nothing has changed then.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('i', [1])\n"
             ">>> array.clear()\n"
             ">>> len(array)\n"
             "0");

static PyObject* array_clear_method(Array* self, PyObject* Py_UNUSED(ignored)) {
    int status;
    VMEM_LOCK(self);
    status = array_splice(self, 0, self->length, NULL, 0);
    VMEM_UNLOCK();
    return none_unless(status < 0);
}

PyDoc_STRVAR(shrink_to_fit_doc,
             "shrink_to_fit($self, /)\n--\n\n"
             "Give back the memory of whole pages that hold no items. The capacity, which is addresses, stays.\n\n"
             "Pages that were ever seen through a buffer are emptied, but stay committed: whoever has kept the array\n"
             "and not its buffer reads zeros there.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Another thread is in the middle of this call.\n"
             "OutOfMemoryError\n"
             "    The process has too many mappings to give back a part of one.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('d', bytes(8 << 20))\n"
             ">>> array.clear()\n"
             ">>> array.shrink_to_fit()");

static PyObject* array_shrink_to_fit_method(Array* self, PyObject* Py_UNUSED(ignored)) {
    return none_unless(array_shrink_to_fit(self) < 0);
}

// --- the order of items and bytes ---

PyDoc_STRVAR(reverse_doc,
             "reverse($self, /)\n--\n\n"
             "Reverse the order of the items.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('i', [1, 2])\n"
             ">>> array.reverse()\n"
             ">>> array.tolist()\n"
             "[2, 1]");

static PyObject* array_reverse(Array* self, PyObject* Py_UNUSED(ignored)) {
    VMEM_LOCK(self);
    reverse_items(array_item(self, 0), self->length, self->type->size);
    VMEM_UNLOCK();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(byteswap_doc,
             "byteswap($self, /)\n--\n\n"
             "Reverse the bytes of each item: for data from a machine of the other byte order.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('H', [1])\n"
             ">>> array.byteswap()\n"
             ">>> array[0]\n"
             "256");

static PyObject* array_byteswap(Array* self, PyObject* Py_UNUSED(ignored)) {
    VMEM_LOCK(self);
    swap_bytes(array_item(self, 0), self->length, self->type->size);
    VMEM_UNLOCK();
    Py_RETURN_NONE;
}

// --- to and from other things ---

PyDoc_STRVAR(tolist_doc,
             "tolist($self, /)\n--\n\n"
             "The items as a list.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.Array('f', [1, 2]).tolist()\n"
             "[1.0, 2.0]");

PyObject* array_tolist(Array* self, PyObject* Py_UNUSED(ignored)) {
    PyObject *list = PyList_New(0), *item;
    int status = list ? 0 : -1;
    for (Py_ssize_t i = 0; status == 0 && (item = array_get_if_there(self, i)); i++) {
        status = PyList_Append(list, item);
        Py_DECREF(item);
    }
    if (PyErr_Occurred()) status = -1;
    if (status < 0) Py_CLEAR(list);
    return list;
}

PyDoc_STRVAR(tobytes_doc,
             "tobytes($self, /)\n--\n\n"
             "The items as bytes, as they are in memory.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.Array('B', [104, 105]).tobytes()\n"
             "b'hi'");

// A copy of the bytes from `start` on, up to so many.
static PyObject* copy_bytes(Array* self, Py_ssize_t start, Py_ssize_t max_size) {
    PyObject* bytes;
    VMEM_LOCK(self);
    Py_ssize_t size = self->length * self->type->size - start;
    if (size > max_size) size = max_size;
    bytes = size > 0 ? PyBytes_FromStringAndSize(self->reservation.base + start, size) : PyBytes_FromString("");
    VMEM_UNLOCK();
    return bytes;
}

PyObject* array_tobytes(Array* self, PyObject* Py_UNUSED(ignored)) { return copy_bytes(self, 0, PY_SSIZE_T_MAX); }

PyDoc_STRVAR(frombytes_doc,
             "frombytes($self, buffer, /)\n--\n\n"
             "Put items at the end that a bytes-like object holds as they are in memory.\n\n"
             "Parameters\n"
             "----------\n"
             "buffer : bytes-like\n"
             "    Its size in bytes is a multiple of itemsize.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Memory is being given back, by shrink_to_fit() in another thread.\n"
             "OutOfMemoryError\n"
             "    The array would grow beyond its capacity, or the system has no memory for more.\n"
             "TypeError\n"
             "    It is no object of single bytes.\n"
             "ValueError\n"
             "    The bytes are no whole number of items.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('B')\n"
             ">>> array.frombytes(b'hi')\n"
             ">>> array.tolist()\n"
             "[104, 105]");

PyObject* array_frombytes(Array* self, PyObject* object) {
    Py_buffer buffer;
    int status = -1;
    if (PyObject_GetBuffer(object, &buffer, PyBUF_SIMPLE) < 0) return NULL;
    if (buffer.itemsize != 1) {
        PyErr_SetString(PyExc_TypeError, "a bytes-like object is required");
    } else if (buffer.len % self->type->size != 0) {
        PyErr_SetString(PyExc_ValueError, "bytes length not a multiple of item size");
    } else {
        VMEM_LOCK(self);
        status = array_splice(self, self->length, 0, buffer.buf, buffer.len / self->type->size);
        VMEM_UNLOCK();
    }
    PyBuffer_Release(&buffer);
    return none_unless(status < 0);
}

PyDoc_STRVAR(
    fromfile_doc,
    "fromfile($self, file, n, /)\n--\n\n"
    "Read n items from a binary file and put them at the end.\n\n"
    "Parameters\n"
    "----------\n"
    "file : binary file\n"
    "    Whose method read() is called once.\n"
    "n : int\n"
    "    How many items to read.\n\n"
    "Raises\n"
    "------\n"
    "BufferError\n"
    "    Memory is being given back, by shrink_to_fit() in another thread.\n"
    "EOFError\n"
    "    The file has fewer. What it has is in the array then.\n"
    "OutOfMemoryError\n"
    "    The array would grow beyond its capacity, or the system has no memory for more. What was read is lost.\n"
    "TypeError, ValueError\n"
    "    `n` is negative or no integer, or what was read is no bytes, or no whole number of items.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import io, vmem\n"
    ">>> array = vmem.Array('B')\n"
    ">>> array.fromfile(io.BytesIO(b'hi'), 2)\n"
    ">>> array.tolist()\n"
    "[104, 105]");

static PyObject* array_fromfile(Array* self, PyObject* const* args, Py_ssize_t num_args) {
    Py_ssize_t num_items;
    if (num_args != 2) return PyErr_Format(PyExc_TypeError, "fromfile expected 2 arguments, got %zd", num_args);
    if (convert_ssize(args[1], &num_items) < 0) return NULL;
    if (num_items < 0) {
        PyErr_SetString(PyExc_ValueError, "negative count");
        return NULL;
    }
    if (num_items > PY_SSIZE_T_MAX / self->type->size) return PyErr_NoMemory();
    Py_ssize_t num_bytes = num_items * self->type->size;
    PyObject* bytes = PyObject_CallMethod(args[0], "read", "n", num_bytes);
    if (!bytes) return NULL;
    if (!PyBytes_Check(bytes)) {
        PyErr_SetString(PyExc_TypeError, "read() didn't return bytes");
        Py_DECREF(bytes);
        return NULL;
    }
    bool is_short = PyBytes_Size(bytes) != num_bytes;
    PyObject* result = array_frombytes(self, bytes);
    Py_DECREF(bytes);
    if (result && is_short) {
        PyErr_SetString(PyExc_EOFError, "read() didn't return enough bytes");
        Py_CLEAR(result);
    }
    return result;
}

// How much is written at a time, as in array.array.
#define WRITTEN_AT_ONCE ((Py_ssize_t)64 << 10)

PyDoc_STRVAR(tofile_doc,
             "tofile($self, file, /)\n--\n\n"
             "Write the items to a binary file, as they are in memory.\n\n"
             "Parameters\n"
             "----------\n"
             "file : binary file\n"
             "    Whose method write() is called, with up to 64 KiB at a time.\n\n"
             "Raises\n"
             "------\n"
             "Exception\n"
             "    What write() raises.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import io, vmem\n"
             ">>> file = io.BytesIO()\n"
             ">>> vmem.Array('B', b'hi').tofile(file)\n"
             ">>> file.getvalue()\n"
             "b'hi'");

static PyObject* array_tofile(Array* self, PyObject* file) {
    Py_ssize_t end = self->length * self->type->size;  // write() may change the length, also without end
    for (Py_ssize_t start = 0; start < end && start < self->length * self->type->size; start += WRITTEN_AT_ONCE) {
        PyObject* bytes = copy_bytes(self, start, end - start < WRITTEN_AT_ONCE ? end - start : WRITTEN_AT_ONCE);
        PyObject* written = bytes ? PyObject_CallMethod(file, "write", "O", bytes) : NULL;
        Py_XDECREF(bytes);
        if (!written) return NULL;
        Py_DECREF(written);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(buffer_info_doc,
             "buffer_info($self, /)\n--\n\n"
             "The address of the first item, which never changes, and the number of items.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('i', [1, 2])\n"
             ">>> before = array.buffer_info()[0]\n"
             ">>> array.extend(range(1000))\n"
             ">>> array.buffer_info() == (before, 1002)\n"
             "True");

static PyObject* array_buffer_info(Array* self, PyObject* Py_UNUSED(ignored)) {
    return Py_BuildValue("(Nn)", PyLong_FromVoidPtr(self->reservation.base), self->length);
}

// --- buffers ---

PyDoc_STRVAR(release_buffer_doc, "__release_buffer__($self, buffer, /)\n--\n\nDoes nothing: views end by themselves.");

// The one that Python would make of the slot refuses views of anything but the array, and views are of pins.
static PyObject* array_release_buffer(Array* Py_UNUSED(self), PyObject* Py_UNUSED(buffer)) { Py_RETURN_NONE; }

// --- copies ---

PyDoc_STRVAR(copy_doc, "__copy__($self, /)\n--\n\nAn array of its own with the same items.");

static PyObject* array_copy(Array* self, PyObject* Py_UNUSED(ignored)) {
    Array* copy = array_new_like(self, self->length);
    if (copy && array_extend(copy, (PyObject*)self) < 0) Py_CLEAR(copy);
    return (PyObject*)copy;
}

PyDoc_STRVAR(deepcopy_doc, "__deepcopy__($self, memo, /)\n--\n\nAn array of its own with the same items.");

static PyObject* array_deepcopy(Array* self, PyObject* Py_UNUSED(memo)) { return array_copy(self, NULL); }

PyDoc_STRVAR(reduce_doc, "__reduce__($self, /)\n--\n\nHow to make the array again, for pickles of any version.");

PyDoc_STRVAR(reduce_ex_doc,
             "__reduce_ex__($self, protocol, /)\n--\n\n"
             "How to make the array again, for pickle: from protocol 5 on by a PickleBuffer of its items.");

PyDoc_STRVAR(
    map_doc,
    "map($self, /)\n--\n\n"
    "A picture of the array as it is now: what is committed, in memory, protected, locked and pinned by views.\n\n"
    "Print it, or let a notebook show it. It stays as it is when the array changes.\n\n"
    "Returns\n"
    "-------\n"
    "MemoryMap\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> array = vmem.Array('d', range(1000), capacity=1 << 20)\n"
    ">>> array.map().used, array.map().size\n"
    "(8000, 8388608)");

static size_t count_used(PyObject* owner) {
    const Array* array = (Array*)owner;
    return (size_t)(array->length * array->type->size);
}

static PyObject* array_map(Array* self, PyObject* Py_UNUSED(ignored)) {
    return survey_map(array_find_state(self), &self->reservation, Py_None, count_used);
}

// Windows has a macro FASTCALL.
#define AS_FASTCALL(function) (PyCFunction)(void (*)(void)) function, METH_FASTCALL

PyMethodDef array_methods[] = {
    {"append", (PyCFunction)array_append, METH_O, append_doc},
    {"extend", (PyCFunction)array_extend_method, METH_O, extend_doc},
    {"insert", AS_FASTCALL(array_insert), insert_doc},
    {"fromlist", (PyCFunction)array_fromlist, METH_O, fromlist_doc},
    {"pop", AS_FASTCALL(array_pop), pop_doc},
    {"index", AS_FASTCALL(array_index), index_doc},
    {"count", (PyCFunction)array_count, METH_O, count_doc},
    {"remove", (PyCFunction)array_remove, METH_O, remove_doc},
    {"clear", (PyCFunction)array_clear_method, METH_NOARGS, clear_doc},
    {"shrink_to_fit", (PyCFunction)array_shrink_to_fit_method, METH_NOARGS, shrink_to_fit_doc},
    {"reverse", (PyCFunction)array_reverse, METH_NOARGS, reverse_doc},
    {"byteswap", (PyCFunction)array_byteswap, METH_NOARGS, byteswap_doc},
    {"tolist", (PyCFunction)array_tolist, METH_NOARGS, tolist_doc},
    {"tobytes", (PyCFunction)array_tobytes, METH_NOARGS, tobytes_doc},
    {"frombytes", (PyCFunction)array_frombytes, METH_O, frombytes_doc},
    {"fromfile", AS_FASTCALL(array_fromfile), fromfile_doc},
    {"tofile", (PyCFunction)array_tofile, METH_O, tofile_doc},
    {"buffer_info", (PyCFunction)array_buffer_info, METH_NOARGS, buffer_info_doc},
    {"map", (PyCFunction)array_map, METH_NOARGS, map_doc},
    {"__release_buffer__", (PyCFunction)array_release_buffer, METH_O | METH_COEXIST, release_buffer_doc},
    {"__copy__", (PyCFunction)array_copy, METH_NOARGS, copy_doc},
    {"__deepcopy__", (PyCFunction)array_deepcopy, METH_O, deepcopy_doc},
    {"__reduce__", (PyCFunction)array_reduce, METH_NOARGS, reduce_doc},
    {"__reduce_ex__", (PyCFunction)array_reduce_ex, METH_O, reduce_ex_doc},
    {"__class_getitem__", (PyCFunction)Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {NULL, NULL, 0, NULL},
};
