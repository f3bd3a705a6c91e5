"""Maps and their parts in words."""

from vmem._format import format_bytes, format_count
from vmem._types import MapData, MemoryPart, Protection

ACCESS = {
    Protection.READ_WRITE: "",  # the usual access is not mentioned
    Protection.READ: "read-only",
    Protection.NO_ACCESS: "no access",
    Protection.EXECUTE: "execute-only",
    Protection.READ_EXECUTE: "read and execute",
    Protection.READ_WRITE_EXECUTE: "read, write, execute",
}

MAX_NAME = 40


def describe_totals(memory: MapData) -> str:
    """The sizes of a map: ``1 TiB reserved, 17 MiB committed, 16 MiB resident, 2 views``."""
    words = [f"{format_bytes(memory.size)} reserved", f"{format_bytes(memory.committed)} committed"]
    if memory.resident is not None:
        words.append(f"{format_bytes(memory.resident)} resident")
    if memory.used is not None:
        words.append(f"{format_bytes(memory.used)} used")
    if memory.locked:
        words.append(f"{format_bytes(memory.locked)} locked")
    return ", ".join([*words, format_count(memory.num_views, "view")])


def describe_owner(memory: MapData, in_unicode: bool = True) -> str:
    """The kind and the name of a map's owner: ``region 'index'``."""
    if memory.name is None:
        return memory.kind
    name = str(memory.name)
    if len(name) > MAX_NAME:
        name = f"{name[: MAX_NAME - 3]}..."
    return f"{memory.kind} {name!r}" if in_unicode else f"{memory.kind} {name!a}"


def describe_part(part: MemoryPart) -> str:
    """The properties of a part: ``committed, 4 KiB resident, locked, 1 view``."""
    if not part.committed:
        return "reserved"
    words = ["resident" if part.resident == part.num_bytes else "committed"]
    if part.resident and part.resident < part.num_bytes:
        words.append(f"{format_bytes(part.resident)} resident")
    if ACCESS[part.protection]:
        words.append(ACCESS[part.protection])
    if part.locked:
        words.append("locked")
    if part.num_views:
        words.append(format_count(part.num_views, "view"))
    return ", ".join(words)


def describe_omitted(parts: tuple[MemoryPart, ...]) -> str:
    """The number and the sizes of the parts that a list omits."""
    committed = sum(part.num_bytes for part in parts if part.committed)
    reserved = sum(part.num_bytes for part in parts if not part.committed)
    number = format_count(len(parts), "more part")
    return f"and {number}: {format_bytes(committed)} committed, {format_bytes(reserved)} reserved"
