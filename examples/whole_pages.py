"""Memory is committed and decommitted in whole pages."""

import vmem

page = vmem.get_page_size()
with vmem.reserve(1000) as region:
    assert region.size == page  # rounded up

with vmem.reserve(8 * page) as region:
    region.commit(page - 1, 2)  # two bytes, on two pages
    assert region.committed == 2 * page

    region[0:5] = b"hello"
    region.decommit(100, 1)  # one byte, and the page that holds it
    assert not region.is_committed(0, 5)
    assert region.committed == page
    region.commit(0, 5)
    assert bytes(region[0:5]) == bytes(5)  # "hello" is gone

    # To keep the bytes around a range, decommit only the pages entirely inside it.
    region.commit()
    start, end = 100, 5 * page + 100
    first, last = vmem.align_forward(start, page), vmem.align_backward(end, page)
    region.decommit(first, last - first)
    assert region.is_committed(0, page)
    assert region.is_committed(5 * page)
    assert region.committed == 4 * page
