"""Virtual cards by name, built in code or read from a TOML deck file. Its keys are test material.

[[card]]
name = "radiologist"
label = "Radiologist's badge"
kind = "uid"
uid = "04A1B2C3D4E580"
apdus = false

[[card]]
name = "phone"
label = "Radiologist's phone"
kind = "pkoc-phone"
private_key = "32 bytes in hexadecimal"
fault = "none"
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from readers.errors import ReaderError, ReaderSpecError
from readers.text import safe_text
from readers.uid import Uid
from readers.virtual.card import VirtualCard
from readers.virtual.faults import Fault, fault_named
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard

COMMON_KEYS = ("name", "label", "kind")
KEYS = {"uid": ("uid", "apdus"), "pkoc-phone": ("private_key", "fault")}

Table = dict[str, object]


@dataclass(frozen=True)
class DeckCard:
    """A card, the name it is tapped by, and a label for the screen."""

    name: str
    label: str
    card: VirtualCard


class Deck(Mapping[str, VirtualCard]):
    """Named virtual cards in their order."""

    def __init__(self, cards: Iterable[DeckCard] = ()) -> None:
        self._cards: dict[str, DeckCard] = {}
        for card in cards:
            if card.name in self._cards:
                raise ReaderSpecError(f'The deck has two cards named "{card.name}"')
            self._cards[card.name] = card

    @classmethod
    def load(cls, path: Path) -> "Deck":
        """Reads a deck file; raises OSError, or ReaderSpecError naming the file and what is wrong in it."""
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            if set(content) - {"card"}:
                raise ReaderSpecError("a deck holds [[card]] tables and nothing else")
            return cls.of(content)
        except (ValueError, RecursionError):  # not only TOMLDecodeError: a number of 5,000 digits, a thousand brackets
            raise ReaderSpecError(f"{path.name}: not TOML") from None
        except ReaderError as error:
            raise ReaderSpecError(f"{path.name}: {error}") from None

    @classmethod
    def of(cls, content: Table) -> "Deck":
        """The cards in the [[card]] tables of a file that may hold more than them; raises ReaderSpecError."""
        return cls(_card(table) for table in tables(content, "card"))

    def and_those_of(self, other: "Deck") -> "Deck":
        """Both decks' cards; raises ReaderSpecError where both have one of the same name."""
        return Deck((*self._cards.values(), *other._cards.values()))

    def card(self, name: str) -> VirtualCard:
        """The card of that name; raises ReaderError naming those there are."""
        if name not in self._cards:
            raise ReaderError(f'There is no card "{safe_text(name)}". There are: {", ".join(self._cards) or "none"}')
        return self._cards[name].card

    def label(self, name: str) -> str:
        """What the screen calls the card; raises KeyError."""
        return self._cards[name].label

    def __getitem__(self, name: str) -> VirtualCard:
        return self._cards[name].card

    def __iter__(self) -> Iterator[str]:
        return iter(self._cards)

    def __len__(self) -> int:
        return len(self._cards)


def tables(content: Table, name: str) -> list[Table]:
    """The [[name]] tables of a file; raises ReaderSpecError where that name is something else."""
    found = content.get(name, [])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        raise ReaderSpecError(f"[[{name}]] is a table, and nothing else goes by that name")
    return found


def _card(table: Table) -> DeckCard:
    kind = _text(table, "kind")
    if kind not in KEYS:
        raise ReaderSpecError(f'kind "{safe_text(kind)}" is none of {", ".join(KEYS)}')
    for key in table:
        if key not in COMMON_KEYS + KEYS[kind]:
            raise ReaderSpecError(f'a card of kind {kind} has no "{safe_text(key)}"')
    name = safe_text(_text(table, "name"))
    label = safe_text(_text(table, "label")) if "label" in table else name
    return DeckCard(name, label, _uid_card(table) if kind == "uid" else _pkoc_phone(table))


def _uid_card(table: Table) -> UidCard:
    apdus = table.get("apdus", False)
    if not isinstance(apdus, bool):
        raise ReaderSpecError('"apdus" is true or false')
    return UidCard(Uid.from_hex(_text(table, "uid")), takes_apdus=apdus)


def _pkoc_phone(table: Table) -> PkocPhone:
    fault = _text(table, "fault") if "fault" in table else Fault.NONE.value
    try:
        value = int.from_bytes(bytes.fromhex(_text(table, "private_key")), "big")
    except ValueError:
        raise ReaderSpecError('"private_key" is not hexadecimal') from None
    return PkocPhone.from_private_value(value, fault_named(fault, PkocPhone.own_faults))


def _text(table: Table, key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise ReaderSpecError(f'a card needs "{key}", a text')
    return value
