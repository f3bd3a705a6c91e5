"""A buffer between guard pages: native code that overruns it by one byte faults."""

import ctypes
import os
import resource
import signal

import vmem


def make_guarded(num_bytes: int) -> memoryview:
    """A buffer with an uncommitted page before it and an uncommitted page after it.

    Its last byte is the last byte of its page. The view keeps the region alive.
    """
    page = vmem.get_page_size()
    size = vmem.align_forward(num_bytes, page)
    region = vmem.reserve(page + size + page, name="guarded")
    region.commit(page, size)
    return region.view(page + size - num_bytes, num_bytes)


def fill(buffer: memoryview, num_bytes: int) -> None:
    """Stands for a C function that writes to a pointer without checking the size."""
    first = ctypes.c_char.from_buffer(buffer)
    ctypes.memset(ctypes.addressof(first), ord("x"), num_bytes)


def main() -> None:
    buffer = make_guarded(1000)
    fill(buffer, 1000)
    assert bytes(buffer) == b"x" * 1000

    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the fault is intended
        fill(buffer, 1001)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) in (signal.SIGSEGV, signal.SIGBUS)
    print("overrun by one byte:", signal.strsignal(os.WTERMSIG(status)))

    # In Python code, accessing a guard page raises an exception.
    with vmem.reserve(2 * vmem.get_page_size()) as region:
        region.commit(0, 1)
        try:
            region[region.page_size] = 1
        except ValueError as error:
            print("from Python:", error)
        else:
            raise AssertionError("an uncommitted byte was written")


main()
