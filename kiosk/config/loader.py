"""Reads kiosk.toml strictly: what it does not know, it names."""

import difflib
import os
import tomllib
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from kiosk.config.model import KioskConfig
from kiosk.config.section import Section
from kiosk.errors import ConfigError
from readers.text import safe_text

LARGEST_BYTES = 1 << 20
SECRET_WORDS = frozenset({"pin", "pepper", "secret", "password", "passphrase", "key", "token"})

AnySection = TypeVar("AnySection", bound=Section)
Value = TypeVar("Value")


def load(path: Path) -> KioskConfig:
    """The configuration in that file; relative paths in it are relative to its folder.

    Raises ConfigError naming the file and the key; a value of text is never repeated, it might be a secret.
    """
    path = Path(path)
    return _Loading(path).section(KioskConfig, _parse(path), "")


def _parse(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}.") from None
    if len(raw) > LARGEST_BYTES:
        raise ConfigError(f"{path}: larger than a configuration can be.")
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {safe_text(str(error))}.") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply.") from None
    except ValueError:  # a date or number that has the form but is none, such as a whole number of 5,000 digits
        raise ConfigError(f"{path}: a value that is out of all range.") from None


@dataclass(frozen=True)
class _Loading:
    """One file on its way to a KioskConfig. `where` is the key so far: "", "kiosk.", "archives[0]."."""

    path: Path

    def section(self, cls: type[AnySection], table: dict[str, object], where: str) -> AnySection:
        known = {item.name: item for item in fields(cls)}
        for key in table:
            if key not in known:
                raise self._error(_unknown(key, list(known), where))
        hints = get_type_hints(cls)
        values: dict[str, Any] = {}
        for name, item in known.items():
            if name in table:
                values[name] = self.value(hints[name], table[name], f"{where}{name}")
            elif item.default is MISSING and item.default_factory is MISSING:
                raise self._error(f"{where}{name} is missing.")
        try:
            return cls(**values)
        except ConfigError as error:
            raise self._error(f"{where}{error}") from None

    def value(self, kind: type | UnionType, value: object, where: str) -> object:
        """Converts one TOML value to a field's type; where there may be none, "" says so."""
        if isinstance(kind, UnionType):
            (inner,) = (possible for possible in get_args(kind) if possible is not NoneType)
            return None if value == "" else self.value(inner, value, where)
        if get_origin(kind) is tuple:
            items = self._typed(list, value, "a list", where)
            inner = get_args(kind)[0]
            return tuple(self.value(inner, item, f"{where}[{index}]") for index, item in enumerate(items))
        if is_dataclass(kind) and issubclass(kind, Section):
            return self.section(kind, self._typed(dict, value, "a table", where), f"{where}.")
        if kind is Path:
            text = self._typed(str, value, "a path in quotes", where)
            if not text or not text.isprintable():
                raise self._error(f"{where} must be a path.")
            return Path(os.path.normpath(self.path.absolute().parent / text))
        return self._scalar(kind, value, where)

    def _scalar(self, kind: type, value: object, where: str) -> object:
        if kind is bool:
            return self._typed(bool, value, "true or false", where)
        if kind is str:
            return self._typed(str, value, "text in quotes", where)
        words = "a whole number" if kind is int else "a number"
        if isinstance(value, bool):  # an int to Python, not to whoever wrote the file
            raise self._wrong(words, value, where)
        if kind is float and isinstance(value, int):
            try:
                return float(value)
            except OverflowError:
                raise self._error(f"{where} is out of all range.") from None
        return self._typed(kind, value, words, where)

    def _typed(self, kind: type[Value], value: object, words: str, where: str) -> Value:
        if not isinstance(value, kind):
            raise self._wrong(words, value, where)
        return value

    def _wrong(self, words: str, value: object, where: str) -> ConfigError:
        names = {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list"}
        found = names.get(type(value), "a table" if isinstance(value, dict) else "a date or time")
        return self._error(f"{where} must be {words}, not {found}.")

    def _error(self, sentence: str) -> ConfigError:
        return ConfigError(f"{self.path}: {sentence}")


def _unknown(key: str, known: list[str], where: str) -> str:
    nearest = difflib.get_close_matches(key, known, 1, 0.0)[0]
    sentence = f"there is no key {where}{safe_text(key)[:64]}; the nearest is {where}{nearest}."
    if SECRET_WORDS.intersection(key.lower().replace("-", "_").split("_")):
        sentence += " Secrets do not belong in this file: they are files of their own."
    return sentence
