import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.atr import (
    ProcessorCard,
    StorageCard,
    UnknownCard,
    classify,
    contactless_atr,
    historical_bytes,
    storage_atr,
)
from readers.errors import TlvError


@pytest.mark.parametrize(
    ("atr", "kind", "name"),
    [
        ("3B8F8001804F0CA000000306030001000000006A", StorageCard(3, 0x0001), "MIFARE Classic 1K"),
        ("3B8F8001804F0CA0000003060300030000000068", StorageCard(3, 0x0003), "MIFARE Ultralight or NTAG"),
        ("3B8F8001804F0CA00000030603FF40000000" + "00D4", StorageCard(3, 0xFF40), "storage card FF40"),
        ("3B80800101", ProcessorCard(b""), "phone, or a card without historical bytes"),
        ("3B8180018080", ProcessorCard(b"\x80"), "ISO/IEC 14443-4 card"),
        ("3B6500002063CB6600", ProcessorCard(bytes.fromhex("2063CB6600")), "ISO/IEC 14443-4 card"),
    ],
)
def test_known_atrs_are_told_apart(atr: str, kind: object, name: str) -> None:
    found = classify(bytes.fromhex(atr))
    assert found == kind
    assert found.name == name


def test_only_a_card_without_historical_bytes_looks_like_a_phone() -> None:
    assert ProcessorCard(b"").is_typical_phone
    assert not ProcessorCard(b"\x80").is_typical_phone


@pytest.mark.parametrize("atr", ["", "3B", "3B80800102", "3C80800101", "3B8F800180", "3BF0", "3B8080010100", "3B" * 40])
def test_an_atr_that_does_not_add_up_is_unknown_and_says_why(atr: str) -> None:
    found = classify(bytes.fromhex(atr))
    assert isinstance(found, UnknownCard)
    assert found.reason
    with pytest.raises(TlvError):
        historical_bytes(bytes.fromhex(atr))


@given(st.binary(max_size=40))
def test_no_bytes_break_the_classifier(atr: bytes) -> None:
    assert classify(atr).name


@given(st.binary(max_size=20))
def test_an_atr_built_from_an_ats_gives_its_historical_bytes_back(historical: bytes) -> None:
    assert historical_bytes(contactless_atr(historical)) == historical[:15]


@pytest.mark.parametrize(("sak", "code"), [(0x08, 0x0001), (0x18, 0x0002), (0x00, 0x0003), (0x88, 0x0000)])
def test_a_storage_card_is_named_by_its_sak(sak: int, code: int) -> None:
    assert classify(storage_atr(sak)) == StorageCard(3, code)
