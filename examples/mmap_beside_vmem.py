"""Growing under a live view: mmap refuses, a region grows."""

import mmap

import vmem

# mmap: everything is usable from the start, and resizing under a view is refused.
with mmap.mmap(-1, 1 << 16) as mapping, memoryview(mapping) as view:
    try:
        mapping.resize(1 << 20)
    except (BufferError, SystemError) as error:  # the latter without mremap()
        print("mmap refuses:", error)
    else:
        raise AssertionError("mmap was resized under a view")

# vmem: the region grows, and the view stays valid.
with vmem.reserve(1 << 30) as region:
    region.commit(0, 1 << 16)
    with region.view(0, 1 << 16) as view:
        region.commit(1 << 16, 1 << 20)
        view[0] = 42
        assert region[0] == 42
        assert len(view) == 1 << 16
    assert region.committed == (1 << 16) + (1 << 20)
