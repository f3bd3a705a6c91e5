// The docstrings of Array and its methods.
#ifndef VMEM_ARRAY_DOCS_H
#define VMEM_ARRAY_DOCS_H

#include "python/compat.h"

// What several methods raise.
#define RAISED_BY_GROWING                         \
    "BufferError\n"                               \
    "    Another thread is in shrink_to_fit().\n" \
    "OutOfMemoryError\n"                          \
    "    The array would grow beyond its capacity, or the system has no memory for more.\n"
#define RAISED_BY_ADDING                       \
    RAISED_BY_GROWING                          \
    "TypeError, OverflowError\n"               \
    "    An item does not fit the typecode.\n" \
    "ValueError\n"                             \
    "    A row has another shape.\n"

PyDoc_STRVAR(append_doc,
             "append($self, item, /)\n--\n\n"
             "Put an item at the end. Live views stay valid.\n\n"
             "Parameters\n"
             "----------\n"
             "item : int or float\n"
             "    What to put there; with `row_shape` a sequence or a buffer of that shape.\n\n"
             "Raises\n"
             "------\n" RAISED_BY_ADDING
             "\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('d')\n"
             ">>> early = memoryview(array)\n"
             ">>> array.append(1.5)\n"
             ">>> array\n"
             "Array('d', [1.5])");

PyDoc_STRVAR(
    extend_doc,
    "extend($self, iterable, /)\n--\n\n"
    "Put all items of an iterable at the end.\n\n"
    "Arrays of the same typecode, and other buffers whose items have that format, are copied at once. What an\n"
    "iterator gave before it failed stays.\n\n"
    "Parameters\n"
    "----------\n"
    "iterable : iterable\n"
    "    Where the items come from. With `row_shape`, a buffer has the shape ``(n, *row_shape)``.\n\n"
    "Raises\n"
    "------\n" RAISED_BY_ADDING
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> array = vmem.Array('i', [1, 2])\n"
    ">>> array.extend(array)\n"
    ">>> array.extend(range(3))\n"
    ">>> array\n"
    "Array('i', [1, 2, 1, 2, 0, 1, 2])");

PyDoc_STRVAR(insert_doc,
             "insert($self, index, item, /)\n--\n\n"
             "Put an item before the one at an index, which counts from the end when it is negative.\n\n"
             "The items behind it move up, also under live views, as in a list.\n\n"
             "Parameters\n"
             "----------\n"
             "index : int\n"
             "    Where to put it; an index beyond an end means that end.\n"
             "item : int or float\n"
             "    What to put there.\n\n"
             "Raises\n"
             "------\n" RAISED_BY_ADDING
             "\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('i', [1, 2])\n"
             ">>> array.insert(1, 9)\n"
             ">>> array.tolist()\n"
             "[1, 9, 2]");

PyDoc_STRVAR(fromlist_doc,
             "fromlist($self, items, /)\n--\n\n"
             "Put all items of a list at the end, or none when one of them does not fit.\n\n"
             "Parameters\n"
             "----------\n"
             "items : list\n"
             "    What to put there.\n\n"
             "Raises\n"
             "------\n" RAISED_BY_ADDING
             "\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('i')\n"
             ">>> array.fromlist([1, 2])\n"
             ">>> array.tolist()\n"
             "[1, 2]");

PyDoc_STRVAR(pop_doc,
             "pop($self, index=-1, /)\n--\n\n"
             "Remove the item at an index, by default the last one, and return it.\n\n"
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

PyDoc_STRVAR(remove_doc,
             "remove($self, item, /)\n--\n\n"
             "Remove the first item that is equal to this one.\n\n"
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

PyDoc_STRVAR(clear_doc,
             "clear($self, /)\n--\n\n"
             "Remove all items. Their memory stays committed; shrink_to_fit() decommits it.\n\n"
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

PyDoc_STRVAR(shrink_to_fit_doc,
             "shrink_to_fit($self, /)\n--\n\n"
             "Decommit whole pages that hold no items. The capacity stays the same.\n\n"
             "Pages that were ever exported through a buffer are discarded, not decommitted: consumers that released\n"
             "the buffer and kept a pointer (``np.ndarray(buffer=array)``) read zeros there.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Another thread is in the middle of this call.\n"
             "OutOfMemoryError\n"
             "    The process has too many mappings to split another one.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('d', bytes(8 << 20))\n"
             ">>> array.clear()\n"
             ">>> array.shrink_to_fit()");

PyDoc_STRVAR(prefault_doc,
             "prefault($self, num_items, /)\n--\n\n"
             "Get memory for the next items now, so that adding them causes no page fault.\n\n"
             "Parameters\n"
             "----------\n"
             "num_items : int\n"
             "    How many items will be added.\n\n"
             "Raises\n"
             "------\n" RAISED_BY_GROWING
             "ValueError, TypeError\n"
             "    A wrong argument.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('d')\n"
             ">>> array.prefault(1000)\n"
             ">>> array.extend(range(1000))  # no page fault");

PyDoc_STRVAR(
    lock_doc,
    "lock($self, num_items=0, /)\n--\n\n"
    "Keep the memory of the items, and of the next items, in physical memory: never in swap.\n\n"
    "The locks stay until unlock(), or until shrink_to_fit() gives the memory back. Items beyond are not locked. A\n"
    "lock that is refused leaves the memory committed.\n\n"
    "Parameters\n"
    "----------\n"
    "num_items : int, default 0\n"
    "    How many items will be added.\n\n"
    "Raises\n"
    "------\n" RAISED_BY_GROWING
    "    Or the process may not lock so much memory (ulimit -l).\n"
    "ValueError, TypeError\n"
    "    A wrong argument.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> array = vmem.Array('d')\n"
    ">>> array.lock(1000)\n"
    ">>> array.extend(range(1000))  # no page fault, and no swapping\n"
    ">>> array.unlock()");

PyDoc_STRVAR(unlock_doc,
             "unlock($self, /)\n--\n\n"
             "End all locks of the array's memory.\n\n"
             "Raises\n"
             "------\n"
             "BufferError\n"
             "    Another thread is in a long call on the same memory.\n"
             "OutOfMemoryError\n"
             "    The process has too many mappings.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('d', [1.5])\n"
             ">>> array.lock()\n"
             ">>> array.unlock()");

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

PyDoc_STRVAR(byteswap_doc,
             "byteswap($self, /)\n--\n\n"
             "Reverse the bytes of each number: for data from a machine of the other byte order.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('H', [1])\n"
             ">>> array.byteswap()\n"
             ">>> array[0]\n"
             "256");

PyDoc_STRVAR(tolist_doc,
             "tolist($self, /)\n--\n\n"
             "The items as a list.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.Array('f', [1, 2]).tolist()\n"
             "[1.0, 2.0]");

PyDoc_STRVAR(tobytes_doc,
             "tobytes($self, /)\n--\n\n"
             "The items as bytes, as they are in memory.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> vmem.Array('B', [104, 105]).tobytes()\n"
             "b'hi'");

PyDoc_STRVAR(frombytes_doc,
             "frombytes($self, buffer, /)\n--\n\n"
             "Append items from the bytes of a bytes-like object, which are copied as they are.\n\n"
             "Parameters\n"
             "----------\n"
             "buffer : bytes-like\n"
             "    Its size in bytes is a multiple of that of an item.\n\n"
             "Raises\n"
             "------\n" RAISED_BY_GROWING
             "TypeError\n"
             "    It is not a bytes-like object with items of one byte.\n"
             "ValueError\n"
             "    Their number is not a multiple of the item size.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('B')\n"
             ">>> array.frombytes(b'hi')\n"
             ">>> array.tolist()\n"
             "[104, 105]");

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
    "    Another thread is in shrink_to_fit().\n"
    "EOFError\n"
    "    The file has fewer. What it has is in the array then.\n"
    "OutOfMemoryError\n"
    "    The array would grow beyond its capacity, or the system has no memory for more. What was read is lost.\n"
    "TypeError, ValueError\n"
    "    `n` is negative or not an integer, or read() returned something that is not bytes, or not a whole number of "
    "items.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import io, vmem\n"
    ">>> array = vmem.Array('B')\n"
    ">>> array.fromfile(io.BytesIO(b'hi'), 2)\n"
    ">>> array.tolist()\n"
    "[104, 105]");

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

PyDoc_STRVAR(release_buffer_doc, "__release_buffer__($self, buffer, /)\n--\n\nDoes nothing: views end by themselves.");

PyDoc_STRVAR(to_numpy_doc,
             "__array__($self, /, dtype=None, *, copy=None)\n--\n\n"
             "A NumPy array of the items, without a copy unless `dtype` or `copy` ask for one.\n\n"
             "NumPy uses the buffer protocol where it can, and calls this when memory was refused: then it raises\n"
             "OutOfMemoryError, where NumPy would copy the items one by one.");

// What the exports to other libraries raise.
#define RAISED_BY_EXPORTING                                                        \
    "OutOfMemoryError\n"                                                           \
    "    The array had no address yet, and the addresses or the memory cannot be " \
    "had.\n"

PyDoc_STRVAR(
    to_arrow_doc,
    "__arrow_c_array__($self, /, requested_schema=None)\n--\n\n"
    "Arrow's view of the items, without a copy: pyarrow, pandas and Polars call this.\n\n"
    "It has the length that the array has now, and holds the items until it is released, on whatever thread:\n"
    "until then the array grows, but does not shrink below it. The memory outlives the array.\n\n"
    "Parameters\n"
    "----------\n"
    "requested_schema : capsule, optional\n"
    "    A type that the caller prefers. A copy is exported when it is one of numbers which can hold all items,\n"
    "    else the items as they are.\n\n"
    "Returns\n"
    "-------\n"
    "tuple[capsule, capsule]\n"
    "    The type and the items, as the Arrow PyCapsule interface names them: ``arrow_schema``, ``arrow_array``.\n\n"
    "Raises\n"
    "------\n"
    "TypeError\n"
    "    The requested schema is not a capsule named ``arrow_schema``; or the items are rows, which have more than "
    "the\n"
    "    one dimension of Arrow's arrays.\n" RAISED_BY_EXPORTING
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> array = vmem.Array('d', [1.0, 2.0])\n"
    ">>> schema, items = array.__arrow_c_array__()\n"
    ">>> array.append(3.0)\n"
    ">>> array.clear()\n"
    "Traceback (most recent call last):\n"
    "  ...\n"
    "BufferError: cannot shrink this array from 3 to 0 items: 1 view reaches further; release or delete it "
    "first, with every array and slice made from it");

PyDoc_STRVAR(to_arrow_schema_doc,
             "__arrow_c_schema__($self, /)\n--\n\n"
             "Arrow's type of the items, which are never null: ``int8`` to ``uint64``, ``float`` or ``double``.\n\n"
             "Returns\n"
             "-------\n"
             "capsule\n"
             "    The type, as the Arrow PyCapsule interface names it: ``arrow_schema``.");

PyDoc_STRVAR(
    to_dlpack_doc,
    "__dlpack__($self, /, *, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\n"
    "A DLPack tensor over the items, without a copy unless `copy` asks for one: torch.from_dlpack and\n"
    "numpy.from_dlpack call this.\n\n"
    "It has the length that the array has now, and holds the items until its deleter is called, on whatever\n"
    "thread: until then the array grows, but does not shrink below it. The memory outlives the array.\n\n"
    "Parameters\n"
    "----------\n"
    "stream : None\n"
    "    The CPU has no streams.\n"
    "max_version : tuple[int, int], optional\n"
    "    The newest version that the caller knows: from (1, 0) on the tensor has a version and flags.\n"
    "dl_device : tuple[int, int], optional\n"
    "    Where the caller wants the items: only the CPU, (1, 0), is possible.\n"
    "copy : bool, optional\n"
    "    Whether the tensor gets a copy of the items, which holds nothing of the array.\n\n"
    "Returns\n"
    "-------\n"
    "capsule\n"
    "    Named ``dltensor_versioned`` or, for older callers, ``dltensor``.\n\n"
    "Raises\n"
    "------\n"
    "BufferError\n"
    "    The device is another one; or the array is a reader of shared memory, and the caller knows no flags.\n"
    "TypeError, ValueError\n"
    "    An argument is of the wrong type, or a stream.\n" RAISED_BY_EXPORTING
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import numpy as np\n"
    ">>> import vmem\n"
    ">>> array = vmem.Array('h', [1, 2])\n"
    ">>> numbers = np.from_dlpack(array)\n"
    ">>> array.extend(range(100000))\n"
    ">>> array[0] = 7\n"
    ">>> numbers.tolist()\n"
    "[7, 2]");

PyDoc_STRVAR(to_dlpack_device_doc,
             "__dlpack_device__($self, /)\n--\n\n"
             "Where DLPack finds the items: ``(1, 0)``, the CPU.\n\n"
             "Returns\n"
             "-------\n"
             "tuple[int, int]");

PyDoc_STRVAR(sizeof_doc,
             "__sizeof__($self, /)\n--\n\nThe size of the object and of what it has on the heap, in bytes.");

PyDoc_STRVAR(copy_doc, "__copy__($self, /)\n--\n\nA new array with the same items.");

PyDoc_STRVAR(deepcopy_doc, "__deepcopy__($self, memo, /)\n--\n\nA new array with the same items.");

PyDoc_STRVAR(reduce_doc, "__reduce__($self, /)\n--\n\nFor pickle, with any protocol.");

PyDoc_STRVAR(reduce_ex_doc,
             "__reduce_ex__($self, protocol, /)\n--\n\n"
             "For pickle: from protocol 5 on with a PickleBuffer of the items.");

PyDoc_STRVAR(
    map_doc,
    "map($self, /)\n--\n\n"
    "A picture of the array as it is now: what is committed, in memory, protected, locked and pinned by views.\n\n"
    "Print it, or display it in a notebook. It does not change with the array.\n\n"
    "Returns\n"
    "-------\n"
    "MemoryMap\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> array = vmem.Array('d', range(1000), capacity=1 << 20)\n"
    ">>> array.map().used, array.map().size\n"
    "(8000, 8388608)");

PyDoc_STRVAR(fileno_doc,
             "fileno($self, /)\n--\n\n"
             "The file descriptor of a shared array, to send it to processes that `multiprocessing` did not start.\n\n"
             "Send it with ``socket.send_fds``, or let a started program inherit it. The other process passes what it\n"
             "has received to `attach`, which duplicates it and gives a reader. The descriptor belongs to the array,\n"
             "which closes it: do not close it.\n\n"
             "Returns\n"
             "-------\n"
             "int\n\n"
             "Raises\n"
             "------\n"
             "NotImplementedError\n"
             "    On Windows, where there are no descriptors: send it through `multiprocessing`.\n"
             "OSError\n"
             "    Something else has closed the descriptor.\n"
             "ValueError\n"
             "    The array is not shared.\n\n"
             "Examples\n"
             "--------\n"
             ">>> import vmem\n"
             ">>> array = vmem.Array('d', [1.0, 2.0], shared=True)\n"
             ">>> reader = vmem.attach(array.fileno())  # usually in another process\n"
             ">>> array.append(3.0)\n"
             ">>> reader\n"
             "Array('d', [1.0, 2.0, 3.0])");

PyDoc_STRVAR(
    array_doc,
    "Array(typecode, initializer=(), /, *, capacity=None, row_shape=(), shared=False)\n--\n\n"
    "Numbers of one type, as in array.array, in memory that never moves.\n\n"
    "Everything that array.array does with numbers works here, with the same errors. What is different: the array\n"
    "reserves addresses for `capacity` items, and commits memory as it grows. So a memoryview, a NumPy array or a\n"
    "pointer that was taken early stays valid, and sees later writes to its items. Items can move within the array\n"
    "under a view (insert, delete, reverse), as they do in a list. Shrinking below a live view is a BufferError.\n\n"
    "Without `capacity`, an array keeps up to 64 KiB of items on the heap, as array.array does, and costs as little.\n"
    "It reserves addresses when it outgrows that, or when its own address is first given out: by a buffer, by\n"
    "buffer_info() or by map(). From then on its items never move.\n\n"
    "With ``row_shape=(3,)`` an item is a row of three numbers: `append` takes a sequence or a buffer of that shape,\n"
    "``array[i]`` is a tuple, of tuples where there are more dimensions, and buffers have the shape ``(len, 3)``.\n"
    "Buffers that it is extended by have that shape, too, else ValueError; their rows are added all or not at all.\n\n"
    "With ``shared=True`` other processes can read the array while it grows. `multiprocessing` sends it, as an\n"
    "argument, in a queue or through a pipe, and so does `fileno` with `attach`: what arrives is a reader. The "
    "process\n"
    "that made the array writes it, and no other can, a forked child neither: there it becomes a reader. A reader\n"
    "sees every item that was there when a call of it began, whole, and never one that is not there; replacing an "
    "item\n"
    "(``array[i] = x``) has no order that others could rely on. So that they always see a beginning of what was\n"
    "written, a shared array is append-only: what removes, moves or swaps items is a TypeError, and so is every\n"
    "change in a reader. shrink_to_fit() does nothing. Copies, as slices are, are private arrays. The memory is given\n"
    "back when the last process that has the array has ended or dropped it.\n\n"
    "Parameters\n"
    "----------\n"
    "typecode : str\n"
    "    One of b, B, h, H, i, I, l, L, q, Q, f and d, with the meaning that they have in array and struct.\n"
    "initializer : bytes-like or iterable, optional\n"
    "    The first items. Bytes and bytearrays are copied as raw memory; of other buffers the items are copied.\n"
    "capacity : int, optional\n"
    "    How many items it can ever hold; addresses are reserved at once then. By default as many as fit into\n"
    "    physical memory, but at most 1/4096 of the addresses that are left to the process when it reserves them, and\n"
    "    1/8 of what RLIMIT_AS (ulimit -v) leaves.\n"
    "row_shape : tuple of int, default ()\n"
    "    The shape of an item, whose dimensions are positive; without it an item is one number.\n"
    "shared : bool, default False\n"
    "    Whether other processes can read it. Addresses are reserved at once then.\n\n"
    "Attributes\n"
    "----------\n"
    "typecode : str\n"
    "    The letter it was made with.\n"
    "itemsize : int\n"
    "    The size of one number in bytes.\n"
    "row_shape : tuple of int\n"
    "    The shape of an item; () where an item is a number.\n"
    "capacity : int\n"
    "    How many items it can hold; before it reserves addresses, how many it would hold if it did now.\n"
    "readonly : bool\n"
    "    Whether another process writes the items: what was made with ``shared=True`` elsewhere, or before a fork. "
    "Its\n"
    "    buffers are read-only then.\n\n"
    "Raises\n"
    "------\n"
    "NotImplementedError\n"
    "    `shared` is true, and this system has no memory that processes can share without a name.\n"
    "OutOfMemoryError\n"
    "    The addresses or the memory cannot be had, or, when it grows, its capacity is exceeded.\n"
    "TypeError, ValueError, OverflowError\n"
    "    As array.array.\n\n"
    "Notes\n"
    "-----\n"
    "Raises an auditing event ``vmem.reserve`` with arguments ``num_bytes`` and ``None`` when it reserves "
    "addresses.\n\n"
    "Examples\n"
    "--------\n"
    ">>> import vmem\n"
    ">>> array = vmem.Array('d', [1.0, 2.0])\n"
    ">>> early = memoryview(array)\n"
    ">>> array.extend(range(100000))  # grows under it\n"
    ">>> array[0] = 7.0\n"
    ">>> early[0], len(early), len(array)\n"
    "(7.0, 2, 100002)\n"
    ">>> points = vmem.Array('f', [(1, 2), (3, 4)], row_shape=(2,))\n"
    ">>> points.append([5, 6])\n"
    ">>> points[-1], memoryview(points).shape\n"
    "((5.0, 6.0), (3, 2))");

#endif
