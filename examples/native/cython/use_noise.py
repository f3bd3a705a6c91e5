import noise

import vmem

with vmem.reserve(1 << 30) as region:
    region.commit(0, 1 << 20)
    noise.fill(region, 0, 1 << 20, seed=7)
    print(len(set(region[0 : 1 << 20])), "different bytes")
    region.protect(vmem.Protection.READ, 0, 1 << 20)
    try:
        noise.fill(region, 0, 100)
    except ValueError as error:
        print(error)
