"""Strict reading of JSON: every field is asked for by name and type, and nothing may be left over."""

import json
from collections.abc import Iterator
from enum import Enum
from typing import Final, NoReturn, TypeVar

from kiosk.errors import TrailError

Choice = TypeVar("Choice", bound=Enum)
NOTHING: Final = object()


class RecordError(TrailError):
    """Bytes that are not the record they should be; the message names the field."""


class Fields:
    """The fields of one JSON object at `path`; every read is a checked one and is remembered for `end`."""

    def __init__(self, values: dict[str, object], path: str) -> None:
        self.path = path or "record"
        self._values = values
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def end(self) -> None:
        """Raises RecordError when there are fields that nobody asked for."""
        unknown = sorted(self._values.keys() - self._read)
        if unknown:
            raise RecordError(f"{self.path}: unknown field {unknown[0]!a}")

    def wrong(self, key: str, expected: str) -> RecordError:
        """The error that says what was expected of a field."""
        return RecordError(f"{self.path}.{key}: expected {expected}")

    def text(self, key: str, default: object = NOTHING) -> str:
        """A string, or `default` when it is left out."""
        value = self._take(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "text")
        return value

    def integer(self, key: str) -> int:
        """A whole number."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(key, "a whole number")
        return value

    def optional_integer(self, key: str) -> int | None:
        """A whole number or None when it is left out."""
        return self.integer(key) if key in self else None

    def boolean(self, key: str) -> bool:
        """True or false."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def octets(self, key: str) -> bytes:
        """Bytes written in hexadecimal."""
        return self.unhex(key, self.text(key))

    def unhex(self, key: str, text: str) -> bytes:
        """The bytes that `text` writes in hexadecimal."""
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise self.wrong(key, "hexadecimal") from None

    def choice(self, key: str, choices: type[Choice]) -> Choice:
        """A member of an enumeration, by its value."""
        value = self._take(key)
        try:
            if isinstance(value, bool):
                raise ValueError
            return choices(value)
        except ValueError:
            raise self.wrong(key, f"a value of {choices.__name__}") from None

    def optional_choice(self, key: str, choices: type[Choice]) -> Choice | None:
        """A member of an enumeration or None when it is left out."""
        return self.choice(key, choices) if key in self else None

    def child(self, key: str) -> "Fields":
        """An object inside this one."""
        return fields_of(self._take(key), f"{self.path}.{key}")

    def children(self, key: str) -> Iterator["Fields"]:
        """A list of objects; empty when it is left out."""
        for index, item in enumerate(self._list(key)):
            yield fields_of(item, f"{self.path}.{key}[{index}]")

    def value(self, key: str) -> object:
        """Whatever stands there."""
        return self._take(key)

    def items(self, key: str) -> tuple[object, ...]:
        """A list of anything; empty when it is left out."""
        return tuple(self._list(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty when it is left out."""
        return self._texts(key, self._list(key))

    def lists(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of strings; empty when it is left out."""
        return tuple(self._texts(key, item) for item in self._list(key))

    def pairs(self, key: str) -> Iterator[tuple[str, str]]:
        """A list of pairs of strings; empty when it is left out."""
        for item in self.lists(key):
            if len(item) != 2:
                raise self.wrong(key, "pairs")
            yield item[0], item[1]

    def counts(self, key: str) -> Iterator[tuple[str, int]]:
        """A list of pairs of a string and a whole number; empty when it is left out."""
        for item in self._list(key):
            match item:
                case [str() as text, bool()]:
                    raise self.wrong(key, "pairs of a text and a whole number")
                case [str() as text, int() as number]:
                    yield text, number
                case _:
                    raise self.wrong(key, "pairs of a text and a whole number")

    def _take(self, key: str, default: object = NOTHING) -> object:
        self._read.add(key)
        value = self._values.get(key, default)
        if value is NOTHING:
            raise RecordError(f"{self.path}.{key}: missing")
        return value

    def _list(self, key: str) -> list[object]:
        value = self._take(key, [])
        if not isinstance(value, list):
            raise self.wrong(key, "a list")
        return value

    def _texts(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "a list of texts")
        return tuple(value)


def fields_of(value: object, path: str) -> Fields:
    """The fields of a JSON object; raises RecordError when it is something else."""
    if not isinstance(value, dict):
        raise RecordError(f"{path or 'record'}: expected an object")
    return Fields(value, path)


def loads(text: bytes) -> object:
    """JSON without floats, without constants such as NaN, without a key twice; raises RecordError."""
    try:
        value: object = json.loads(text, parse_float=_no_float, parse_constant=_no_float, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise RecordError("record: not JSON") from None
    return value


def _no_float(text: str) -> NoReturn:
    raise RecordError("record: a number that is not whole")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise RecordError("record: a field twice")
    return values
