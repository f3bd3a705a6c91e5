"""What a live view allows, and what it does not."""

import gc
import weakref

import vmem

page = vmem.get_page_size()
region = vmem.reserve(1 << 30)
region.commit(0, 8 * page)
view = region[page : page + 5]  # pins the second page, and only that

region.commit(0, 100 * page)  # all of this is free
region.decommit(4 * page)
region.discard(2 * page, page)
region.protect(vmem.Protection.READ, 3 * page, page)
view[:] = b"hello"

for take_away in (region.decommit, region.discard):
    try:
        take_away(page, 1)  # a byte of that page is enough
    except BufferError as error:
        print("refused:", error)
    else:
        raise AssertionError("the page of a view was taken away")
try:
    region.release()
except BufferError as error:
    print("refused:", error)
else:
    raise AssertionError("the region was released under a view")
assert bytes(region[page : page + 5]) == b"hello"  # nothing has changed

# A view keeps the memory, not only the other way round.
gone = weakref.ref(region)
del region, take_away
gc.collect()
assert bytes(view) == b"hello"
view.release()
gc.collect()
assert gone() is None
