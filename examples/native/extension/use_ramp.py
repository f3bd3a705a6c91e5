import ramp

import vmem

with vmem.reserve(1 << 30) as region:
    region.commit(0, 8 * 1000)
    ramp.fill(region, 0, 1000, 1.0, 0.5)
    region.commit(8 * 1000, 8 * 1000)  # grows in place
    ramp.fill(region, 1000, 1000, 501.0, 0.5)
    with region.view(0, 8 * 2000).cast("d") as items:
        print(sum(items))
    try:
        ramp.fill(region, 0, 1 << 20, 0.0, 0.0)
    except ValueError as error:
        print(error)
