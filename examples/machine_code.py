"""Machine code that a program writes, makes executable and calls."""

import ctypes
import platform
from collections.abc import Callable

import vmem

IS_ARM64 = platform.machine().lower() in ("arm64", "aarch64")

# What returns 42: `mov w0, #42; ret` for arm64, `mov eax, 42; ret` for x86.
CODE = bytes.fromhex("40058052 c0035fd6" if IS_ARM64 else "b82a000000 c3")

region = vmem.reserve(vmem.get_page_size())
region.commit()
region[: len(CODE)] = CODE
region.protect(vmem.Protection.READ_EXECUTE)  # also flushes the instruction cache
answer = ctypes.CFUNCTYPE(ctypes.c_int)(region.address)
assert answer() == 42


class Functions:
    """Functions that are compiled one after the other, each into pages of its own."""

    def __init__(self, num_bytes: int) -> None:
        self.region = vmem.reserve(num_bytes, name="machine code")

    def add(self, code: bytes) -> Callable[[], int]:
        offset = self.region.committed
        self.region.commit(offset, len(code))
        self.region[offset : offset + len(code)] = code
        self.region.protect(vmem.Protection.READ_EXECUTE, offset, len(code))
        function = ctypes.CFUNCTYPE(ctypes.c_int)(self.region.address + offset)
        function.memory = self.region  # type: ignore[attr-defined]  # keeps it alive
        return function


def compile_constant(number: int) -> bytes:
    """A function that returns a number below 65,536."""
    if IS_ARM64:
        move = 0x52800000 | number << 5
        return move.to_bytes(4, "little") + bytes.fromhex("c0035fd6")
    return b"\xb8" + number.to_bytes(4, "little") + b"\xc3"


def main() -> None:
    functions = Functions(1 << 24)
    constants = [functions.add(compile_constant(number)) for number in range(100)]
    del functions
    assert [constant() for constant in constants] == list(range(100))

    # To change a function, take away execution, write, and allow execution again.
    region.protect(vmem.Protection.READ_WRITE)
    region[: len(CODE)] = compile_constant(43)[: len(CODE)]
    region.protect(vmem.Protection.READ_EXECUTE)
    assert answer() == 43

    # Code that is executable cannot be overwritten by mistake.
    try:
        region[0] = 0
    except ValueError as error:
        print("refused:", error)
    else:
        raise AssertionError("executable code was overwritten")
    print("the answer is", answer(), "after 42")


main()
