"""What a table's columns are, and how rows are put into order by one of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

Value = TypeVar("Value")
SortKey = Callable[[Value], Any]


@dataclass(frozen=True)
class Column:
    """`width` is in cells and the least that is given; room left over goes to columns by their `weight`."""

    key: str
    title: str
    width: int
    weight: int = 0
    right: bool = False


@dataclass(frozen=True)
class SortOrder:
    """By which column, and which way."""

    column: str
    descending: bool = False

    def pressed(self, column: str, first_descending: frozenset[str]) -> "SortOrder":
        """What a press on a column's header makes of it: the same column turns round, another starts its own way."""
        if column == self.column:
            return SortOrder(column, not self.descending)
        return SortOrder(column, column in first_descending)


def ordered(values: Iterable[Value], key: SortKey[Value], descending: bool) -> list[Value]:
    """Sorted by `key`; values whose key is None (unknown) come last either way."""
    known: list[tuple[Any, Value]] = []
    unknown: list[Value] = []
    for value in values:
        rank = key(value)
        if rank is None:
            unknown.append(value)
        else:
            known.append((rank, value))
    known.sort(key=lambda pair: pair[0], reverse=descending)
    return [value for _rank, value in known] + unknown
