"""What the kernel says about this process and the machine.

Child programs import this: typing, pathlib and re would take them longer than everything else.
"""

from __future__ import annotations

import functools
import mmap
import os
import sys

import vmem

SLACK = 8 << 20  # by how much the interpreter's own memory may change while a test compares sizes of the process
GROUP_LIMIT = 1 << 30  # of the control group that the fixture memory_group makes


def read_lines(path: str) -> list[str]:
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def bytes_from(path: str, key: str) -> int:
    """The size that a line like "VmRSS:      12 kB" gives."""
    for line in read_lines(path):
        name, _, size = line.partition(":")
        if name == key:
            number, unit = size.split()
            assert unit == "kB"
            return int(number) * 1024
    raise AssertionError(f"{path} does not have {key}")


def status_bytes(key: str) -> int:
    """A size from /proc/self/status: VmSize is addresses, VmData private writable memory, VmRSS what is resident."""
    return bytes_from("/proc/self/status", key)


def system_bytes(key: str) -> int:
    """A size from /proc/meminfo, which is about the whole machine."""
    return bytes_from("/proc/meminfo", key)


def committed_by_all() -> int:
    """The system's commit charge in bytes."""
    return system_bytes("Committed_AS")


def mappings_in(start: int, size: int) -> list[tuple[int, int, str]]:
    """The kernel's mappings that overlap an address range: first address, last address + 1, permissions."""
    found: list[tuple[int, int, str]] = []
    with open("/proc/self/maps", "rb") as file:
        for line in file:  # by address, so that the many libraries behind the range are not even read
            addresses, permissions, _ = line.split(maxsplit=2)
            first, last = addresses.split(b"-")
            if int(first, 16) >= start + size:
                break
            if int(last, 16) > start:
                found.append((int(first, 16), int(last, 16), permissions.decode()))
    return found


def permissions_in(start: int, size: int) -> list[tuple[int, int, str]]:
    """The same as offsets from `start`, clipped to the range, equal neighbours joined."""
    runs: list[tuple[int, int, str]] = []
    for first, last, permissions in mappings_in(start, size):
        run = (max(first - start, 0), min(last - start, size), permissions)
        if runs and runs[-1][1] == run[0] and runs[-1][2] == permissions:
            runs[-1] = (runs[-1][0], run[1], permissions)
        else:
            runs.append(run)
    return runs


def num_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


class Details:
    """A mapping of /proc/self/smaps: where it lies, its name, and its fields, such as "Rss" with "12 kB"."""

    def __init__(self, first: int, last: int, name: str) -> None:
        self.first = first
        self.last = last
        self.name = name
        self.fields: dict[str, str] = {}


def details_in(start: int, size: int) -> list[Details]:
    """The kernel's mappings that overlap an address range, in detail."""
    found: list[Details] = []
    for line in read_lines("/proc/self/smaps"):
        if "-" in line.split(maxsplit=1)[0]:
            addresses, _, _, _, _, *name = line.split(maxsplit=5)
            first, last = (int(address, 16) for address in addresses.split("-"))
            found.append(Details(first, last, *name or [""]))
        else:
            key, value = line.split(":", 1)
            found[-1].fields[key] = value.strip()
    return [each for each in found if each.first < start + size and start < each.last]


def pages_with_flag(region: vmem.Region, flag: str) -> list[int]:
    """The numbers of the pages whose mapping has one of the kernel's two-letter flags."""
    flagged: list[int] = []
    for each in details_in(region.address, region.size):
        if flag in each.fields["VmFlags"].split():
            first = max(each.first - region.address, 0) // region.page_size
            last = min(each.last - region.address, region.size) // region.page_size
            flagged += range(first, last)
    return flagged


def refuses_writable_code() -> bool:
    """Whether this system never lets memory be writable and executable, as its own mmap() tells."""
    if sys.platform == "win32":
        return False
    try:
        mmap.mmap(-1, 1, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    except OSError:
        return True
    return False


@functools.cache
def has_a_tebibyte_of_addresses() -> bool:
    """What most examples take. 32 bits cannot name it, and some emulators keep too much about it."""
    try:
        vmem.reserve(1 << 40).release()
    except (ValueError, vmem.OutOfMemoryError):
        return False
    return True


def lockable_bytes(wanted: int) -> int:
    """How much of what is wanted this process may lock, with something left over."""
    try:
        import resource
    except ImportError:  # Windows
        return wanted
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return wanted if os.geteuid() == 0 or limit == resource.RLIM_INFINITY else min(wanted, limit * 3 // 4)
