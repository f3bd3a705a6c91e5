"""Memory with huge pages, and how many the system provides."""

import re
import sys
from pathlib import Path

import vmem

SIZE = 64 << 20


def reserve_large(num_bytes: int) -> vmem.Region:
    """A region with huge pages, or without them where the system has none."""
    return vmem.reserve(num_bytes, huge_pages=vmem.get_huge_page_size() > 0)


def huge_bytes(region: vmem.Region) -> int:
    """How many bytes of a region are in huge pages, as Linux reports it."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if head:
            inside = region.address <= int(head[1], 16) < region.address + region.size
        elif inside and line.startswith("AnonHugePages:"):
            total += int(line.split()[1]) * 1024
    return total


def main() -> None:
    huge = vmem.get_huge_page_size()
    print("huge pages:", f"{huge >> 10} KiB" if huge else "none on this system")
    with reserve_large(SIZE) as region:
        assert region.huge_pages == (huge > 0)
        if huge:
            assert vmem.is_aligned(region.address, huge)
        region.commit(0, SIZE)
        region[0] = 1
        touched = region.resident()
        assert region.page_size <= touched <= max(huge, region.page_size)
        print(f"one byte takes {touched >> 10} KiB")

        region.prefault(0, SIZE)
        assert region.resident() == SIZE
        if sys.platform == "linux":
            found = huge_bytes(region)  # less than all if physical memory is fragmented
            assert 0 <= found <= SIZE
            print(f"{found >> 20} of {SIZE >> 20} MiB are in huge pages")


main()
