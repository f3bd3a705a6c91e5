"""Numbers as people read them: ``1.5 GiB``, ``3 views``."""

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def format_bytes(num_bytes: float) -> str:
    """A size with its unit: ``1.5 GiB``. Whole numbers of a unit keep all their digits."""
    size, unit = float(num_bytes), 0
    while size >= 1023.95 and unit < len(UNITS) - 1:  # 1023.95 would be rounded to 1024.0: it is 1.0 of the next unit
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if size == int(size) else f"{size:.1f} {UNITS[unit]}"


def format_count(number: int, noun: str) -> str:
    """A number with its noun in the singular or plural: ``1 view``, ``2 views``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
