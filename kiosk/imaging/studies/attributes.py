"""A data set's wanted attributes, gathered from a walk: what ordering and drawing look things up in."""

from collections.abc import Iterable

from kiosk.imaging.studies.elements import ITEM, Element
from kiosk.imaging.studies.values import decimal, integer, numbers, text_values


class Attributes:
    """Attributes of one data set or item. Every getter answers emptiness for what is absent or malformed."""

    __slots__ = ("elements", "sequences")

    def __init__(self) -> None:
        self.elements: dict[int, Element] = {}
        self.sequences: dict[int, list[Attributes]] = {}

    def raw(self, tag: int) -> bytes:
        """The value as bytes."""
        element = self.elements.get(tag)
        return element.value if element is not None and element.value is not None else b""

    def texts(self, tag: int) -> list[str]:
        """The values as text, as they came: not yet safe to show."""
        element = self.elements.get(tag)
        if element is None or not element.value:
            return []
        return text_values(element.value, element.vr, element.encodings)

    def text(self, tag: int) -> str:
        """The first value as text, as it came: not yet safe to show."""
        values = self.texts(tag)
        return values[0] if values else ""

    def numbers(self, tag: int) -> tuple[float, ...]:
        """Every number; text that is no number is left out."""
        element = self.elements.get(tag)
        if element is None or not element.value:
            return ()
        if element.vr == "UN":
            parsed = (decimal(part) for part in element.value.decode("latin-1").split("\\"))
            return tuple(number for number in parsed if number is not None)
        return tuple(numbers(element.value, element.vr, element.little))

    def number(self, tag: int) -> float | None:
        """The first number."""
        values = self.numbers(tag)
        return values[0] if values else None

    def integer(self, tag: int) -> int | None:
        """The first value as a whole number."""
        element = self.elements.get(tag)
        if element is None or not element.value:
            return None
        if element.vr in ("IS", "UN", "DS", "LO", "SH"):
            return integer(element.value.decode("latin-1").split("\\")[0])
        value = self.number(tag)
        return int(value) if value is not None and value == int(value) else None

    def items(self, tag: int) -> "list[Attributes]":
        """The items of a sequence."""
        return self.sequences.get(tag, [])

    def first(self, *path: int) -> "Attributes":
        """The first item along a path of sequences; empty attributes where the path ends early."""
        found = self
        for tag in path:
            items = found.items(tag)
            if not items:
                return Attributes()
            found = items[0]
        return found


def collect(elements: Iterable[Element]) -> Attributes:
    """Gathers a walk's elements; of an attribute that comes twice the first stays."""
    root = Attributes()
    holders = [root]
    lists: list[list[Attributes]] = []
    for element in elements:
        depth = element.depth
        if element.tag == ITEM:
            item = Attributes()
            lists[depth - 1].append(item)
            del holders[depth:]
            holders.append(item)
        elif element.vr == "SQ":
            del lists[depth:]
            lists.append(holders[depth].sequences.setdefault(element.tag, []))
        else:
            holders[depth].elements.setdefault(element.tag, element)
    return root
