"""What a type checker must refuse. Each line has the one error it must give; nothing of this is run."""

import vmem

region = vmem.reserve(4096)
vmem.reserve("4096")  # type: ignore[arg-type]
vmem.reserve(4096.0)  # type: ignore[arg-type]
vmem.reserve(4096, 4096)  # type: ignore[call-arg]
region.commit("0")  # type: ignore[arg-type]
region["a"]  # type: ignore[call-overload]
region[0] = b"a"  # type: ignore[call-overload]
region[0:2] = "ab"  # type: ignore[call-overload]
region.size = 5  # type: ignore[misc]
memoryview(region)  # type: ignore[arg-type]
vmem.align_forward(1.5, 2)  # type: ignore[arg-type]
