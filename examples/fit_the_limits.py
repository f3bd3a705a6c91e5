"""Reserve as many addresses as the limits allow; use memory while it is available."""

import vmem

WANTED = 1 << 40
LEAST = 1 << 20
STEP = 1 << 20


def reserve_up_to(num_bytes: int) -> vmem.Region:
    """A region of this size, or of a half, a quarter ... if ulimit -v refuses it.

    If even the least is refused, the error says by which limit.
    """
    while num_bytes > LEAST:
        try:
            # Twice the size, to leave as much for the rest of the program.
            vmem.reserve(2 * num_bytes).release()
            break
        except vmem.OutOfMemoryError:
            num_bytes //= 2
    return vmem.reserve(num_bytes)


class Cache:
    """Bytes kept in memory, as long as enough memory is available."""

    def __init__(self) -> None:
        self.region = reserve_up_to(WANTED)
        self.used = 0

    def add(self, data: bytes) -> bool:
        """Appends data, or returns False if too little memory is available."""
        end = self.used + len(data)
        if end > self.region.committed and not self.grow(end):
            return False
        self.region[self.used : end] = data
        self.used = end
        return True

    def grow(self, end: int) -> bool:
        """Commits enough for `end` bytes, if it is at most 1/4 of available memory."""
        committed = self.region.committed
        step = vmem.align_forward(end, STEP) - committed
        available = vmem.memory_info().available  # 0 if unknown
        if committed + step > self.region.size or (available and step > available // 4):
            return False
        try:
            self.region.commit(committed, step)
        except vmem.OutOfMemoryError as error:  # by a limit not in memory_info()
            print(error)
            return False
        return True


def main() -> None:
    cache = Cache()
    for number in range(1000):
        assert cache.add(b"%03d" % number * 1000)
    assert bytes(cache.region[3_000 * 999 : 3_000 * 1000]) == b"999" * 1000
    assert cache.region.committed == 3 * STEP
    print(f"reserved {cache.region.size >> 20} MiB of {WANTED >> 20}")


main()
