"""The map of a region with resident, read-only and pinned parts."""

import vmem

MIB = 1 << 20

region = vmem.reserve(1 << 40, name="index")
region.commit(0, 64 * MIB)
region.prefault(0, 24 * MIB)
early = region[0 : 16 * MIB]

# Another part, at a distance, made read-only.
region.commit(1 << 39, 8 * MIB, prefault=True)
region.protect(vmem.Protection.READ, 1 << 39, 8 * MIB)

memory = region.map()
print(memory)
assert memory.committed == region.committed == 72 * MIB
assert memory.num_views == 1
assert memory.pinned == ((0, 16 * MIB),)
committed = [part for part in memory.parts if part.committed]
assert committed[-1].protection == vmem.Protection.READ

early.release()
region.release()
assert memory.num_views == 1  # a map does not change
