from pathlib import Path

import pytest

from readers.errors import ReaderSpecError
from readers.uid import Uid
from readers.virtual.deck import Deck, DeckCard
from readers.virtual.pkoc_phone import Fault, PkocPhone
from readers.virtual.uid_card import UidCard

KEY = "11" * 32
BADGE = (
    '[[card]]\nname = "badge"\nlabel = "Dr. Ada\'s badge"\nkind = "uid"\nuid = "04:A1:B2:C3:D4:E5:80"\napdus = true\n'
)
PHONE = f'[[card]]\nname = "phone"\nkind = "pkoc-phone"\nprivate_key = "{KEY}"\nfault = "wrong_key"\n'


def load(tmp_path: Path, text: str) -> Deck:
    path = tmp_path / "deck.toml"
    path.write_text(text, encoding="utf-8")
    return Deck.load(path)


def test_a_deck_file_makes_its_cards_in_order(tmp_path: Path) -> None:
    deck = load(tmp_path, BADGE + PHONE)
    assert list(deck) == ["badge", "phone"]
    assert (deck.label("badge"), deck.label("phone")) == ("Dr. Ada's badge", "phone")
    badge, phone = deck["badge"], deck["phone"]
    assert isinstance(badge, UidCard)
    assert badge.uid == Uid.from_hex("04A1B2C3D4E580")
    assert badge.takes_apdus
    assert isinstance(phone, PkocPhone)
    assert phone.fault is Fault.WRONG_KEY


def test_the_same_private_key_makes_the_same_phone(tmp_path: Path) -> None:
    first, second = load(tmp_path, PHONE)["phone"], load(tmp_path, PHONE)["phone"]
    assert isinstance(first, PkocPhone)
    assert isinstance(second, PkocPhone)
    assert first.public_key == second.public_key


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (BADGE.replace("apdus", "apdu"), 'no "apdu"'),
        (BADGE.replace("uid = ", "number = "), 'no "number"'),
        (BADGE.replace('"04:A1:B2:C3:D4:E5:80"', '"04A1"'), "4, 7 or 10 bytes"),
        (BADGE.replace("true", '"yes"'), "true or false"),
        (BADGE.replace('kind = "uid"', 'kind = "barcode"'), '"barcode" is none of uid, pkoc-phone'),
        (PHONE.replace("wrong_key", "tired"), '"tired" is none of'),
        (PHONE.replace(KEY, "zz"), "not hexadecimal"),
        (PHONE.replace(KEY, "00"), "Not a P-256 private key"),
        (PHONE.replace(KEY, "FF" * 32), "Not a P-256 private key"),
        (BADGE + BADGE, "two cards"),
        ("[[cards]]\n", "nothing else"),
        ("card = 5\n", "nothing else"),
        ('[[card]]\nkind = "uid"\nuid = "04A1B2C3"\n', 'needs "name"'),
        ("[[card\n", "not TOML"),
    ],
)
def test_a_deck_with_a_mistake_is_refused_by_file_and_mistake(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(ReaderSpecError, match=r"deck\.toml") as raised:
        load(tmp_path, text)
    assert word in str(raised.value)


def test_names_in_a_deck_are_plain_text(tmp_path: Path) -> None:
    deck = load(tmp_path, BADGE.replace("Dr. Ada's badge", "Ada\\u001b[31m\\u202e"))
    assert "\x1b" not in deck.label("badge")
    assert "\u202e" not in deck.label("badge")


def test_a_deck_can_be_built_in_code() -> None:
    card = UidCard(Uid.from_hex("04A1B2C3"))
    assert Deck([DeckCard("badge", "A badge", card)]).card("badge") is card
    with pytest.raises(ReaderSpecError):
        Deck([DeckCard("badge", "A", card), DeckCard("badge", "B", card)])
