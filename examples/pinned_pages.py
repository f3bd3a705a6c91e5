"""What a live view permits, and what it prevents."""

import gc
import weakref

import vmem

page = vmem.get_page_size()
region = vmem.reserve(1 << 30)
region.commit(0, 8 * page)
view = region[page : page + 5]  # pins only the second page

region.commit(0, 100 * page)  # none of this affects the pinned page
region.decommit(4 * page)
region.discard(2 * page, page)
region.protect(vmem.Protection.READ, 3 * page, page)
view[:] = b"hello"

for method in (region.decommit, region.discard):
    try:
        method(page, 1)  # one byte of the pinned page is enough
    except BufferError as error:
        print("refused:", error)
    else:
        raise AssertionError("a pinned page was decommitted or discarded")
try:
    region.release()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("a region with a live view was released")
assert bytes(region[page : page + 5]) == b"hello"  # nothing has changed

# A view keeps its region alive.
reference = weakref.ref(region)
del region, method
gc.collect()
assert bytes(view) == b"hello"
view.release()
gc.collect()
assert reference() is None
