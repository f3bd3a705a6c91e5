"""The rows of tables: tuples with names. Imported when the first row is made."""

from keyword import iskeyword
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar


class Row(tuple[Any, ...]):
    """A row of a table: a tuple of its items, which are attributes too.

    A name that is not an identifier, or that begins with two underscores, is not an attribute. Rows equal tuples of the
    same items. `_fields` has the names of the columns.

    Examples
    --------
    >>> import vmem
    >>> table = vmem.Table({"time": "q", "value": "d"})
    >>> table.append(1, 0.5)
    >>> table[0]
    Row(time=1, value=0.5)
    >>> table[0].value, table[0] == (1, 0.5), table[0]._fields
    (0.5, True, ('time', 'value'))
    """

    __module__ = "vmem"
    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def _asdict(self) -> dict[str, Any]:
        """The items by the names of their columns."""
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        if all(name.isidentifier() and not iskeyword(name) for name in self._fields):
            return f"Row({', '.join(f'{name}={item!r}' for name, item in self._asdict().items())})"
        return f"Row({self._asdict()!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _make_row, (self._fields, tuple(self))


def _is_attribute(name: str) -> bool:
    return name.isidentifier() and not name.startswith("__") and name not in ("_fields", "_asdict")


_row_types: dict[tuple[str, ...], type[Row]] = {}
_MAX_ROW_TYPES = 256


def make_row_type(names: tuple[str, ...]) -> type[Row]:
    """The class of the rows with these names: that of all tables with them, as long as they are not too many."""
    row_type = _row_types.get(names)
    if row_type is None:
        getters = {name: property(itemgetter(index)) for index, name in enumerate(names) if _is_attribute(name)}
        row_type = type("Row", (Row,), {"__module__": "vmem", "__slots__": (), "_fields": names, **getters})
        if len(_row_types) >= _MAX_ROW_TYPES:
            _row_types.clear()
        _row_types[names] = row_type
    return row_type


def _make_row(names: tuple[str, ...], items: tuple[Any, ...]) -> Row:
    return make_row_type(names)(items)
