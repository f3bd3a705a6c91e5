"""What is reserved, what is committed, and what is resident."""

import vmem

MIB = 1 << 20


def describe(region: vmem.Region) -> str:
    sizes = region.size, region.committed, region.resident()
    return "{} MiB reserved, {} committed, {} resident".format(
        *(size // MIB for size in sizes)
    )


# Aligned, so that no huge page covers two of the parts: some systems use huge pages
# by default.
region = vmem.reserve(1 << 30, alignment=2 * MIB)
print(describe(region))
assert (region.committed, region.resident()) == (0, 0)

# Committing adds commit charge. Physical memory is allocated at the first access.
region.commit(0, 64 * MIB)
print(describe(region))
assert (region.committed, region.resident()) == (64 * MIB, 0)

# Writing makes pages resident, here a quarter of them.
region[0 : 16 * MIB] = bytes(16 * MIB)
print(describe(region))
assert (region.committed, region.resident()) == (64 * MIB, 16 * MIB)
assert region.resident(8 * MIB, 16 * MIB) == 8 * MIB  # of a part

# Discarding frees physical memory; decommitting also ends the commit charge.
region.discard(0, 8 * MIB)
region.decommit(32 * MIB)
print(describe(region))
assert (region.committed, region.resident()) == (32 * MIB, 8 * MIB)

for each in region.ranges():
    state = "committed" if each.committed else "reserved"
    print(f"  from {each.offset >> 20} MiB: {each.num_bytes >> 20} MiB {state}")
assert [each.committed for each in region.ranges()] == [True, False]

# Memory for this process, within the limits of its container.
memory = vmem.memory_info()
print(f"{memory.available >> 20} of {memory.total >> 20} MiB are available")
region.release()
