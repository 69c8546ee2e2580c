"""Values are read as the standard says and forgiven as archives need."""

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.imaging.studies.model import PersonName
from kiosk.imaging.studies.values import (
    decimal,
    decode_text,
    encodings_of,
    integer,
    parse_date,
    parse_time,
    person_name,
    seconds_of_day,
    text_values,
)


@pytest.mark.parametrize(
    ("character_set", "encoded", "text"),
    [
        (b"", b"Doe^Jane", "Doe^Jane"),
        (b"ISO_IR 100", "Müller^Jörg".encode("latin-1"), "Müller^Jörg"),
        (b"ISO_IR 144", "Иванов".encode("iso8859_5"), "Иванов"),
        (b"GB18030", "刘^建国".encode("gb18030"), "刘^建国"),
        (b"ISO_IR 192", "Nguyễn".encode(), "Nguyễn"),
        (b"\\ISO 2022 IR 87", b"Yamada=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada=山田^太郎"),
    ],
)
def test_names_are_decoded_by_their_character_set(character_set: bytes, encoded: bytes, text: str) -> None:
    assert decode_text(encoded, "PN", encodings_of(character_set)) == text


def test_a_backslash_byte_inside_a_character_does_not_split_a_value() -> None:
    encoded = b"\x81\\"
    assert text_values(encoded + b"\\B", "LO", encodings_of(b"GB18030")) == [encoded.decode("gb18030"), "B"]


@pytest.mark.parametrize("term", [b"punycode", b"unicode_escape", b"zlib", b"ISO_IR 999", b"\xff\xfe"])
def test_a_file_cannot_choose_one_of_pythons_own_codecs(term: bytes) -> None:
    assert encodings_of(term) == ("iso8859",)


@given(st.binary(max_size=64), st.sampled_from([b"ISO_IR 192", b"GB18030", b"\\ISO 2022 IR 87\\ISO 2022 IR 149", b"x"]))
def test_no_bytes_can_break_decoding(value: bytes, character_set: bytes) -> None:
    for vr in ("PN", "LO", "UT", "UI"):
        assert isinstance(decode_text(value, vr, encodings_of(character_set)), str)


def test_a_person_name_keeps_its_three_groups_and_loses_what_would_reach_the_terminal() -> None:
    name = person_name("Yamada^Tarou^^^=山田^太郎=やまだ^たろう=too much")
    assert name == PersonName("Yamada^Tarou", "山田^太郎", "やまだ^たろう")
    assert person_name("Eve\x1b[2J\u202e^X") == PersonName("Eve^X")
    assert person_name("") == PersonName()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240229", date(2024, 2, 29)), ("2024.02.29", date(2024, 2, 29)), ("20230229", None), ("", None),
        ("2024", None), ("00000000", None), ("tomorrow", None), ("٢٠٢٤٠١٠١", None),
    ],
)  # fmt: skip
def test_dates_that_do_not_exist_are_unknown(text: str, expected: date | None) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("081530", time(8, 15, 30)), ("0815", time(8, 15)), ("08", time(8)), ("081530.25", time(8, 15, 30, 250000)),
        ("08:15:30", time(8, 15, 30)), ("235960", time(23, 59, 59)), ("2500", None), ("noon", None), ("", None),
    ],
)  # fmt: skip
def test_times_that_do_not_exist_are_unknown(text: str, expected: time | None) -> None:
    assert parse_time(text) == expected


def test_a_date_and_time_orders_across_midnight() -> None:
    before, after = seconds_of_day("20240101235959.5+0100"), seconds_of_day("20240102000001+0100")
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(1.5)
    assert seconds_of_day("nonsense") is None


@pytest.mark.parametrize(
    ("text", "expected"), [("7", 7), (" +07 ", 7), ("-3", -3), ("7.0", 7), ("7.5", None), ("", None), ("1e3", None),
                           ("9" * 5000, None), ("１", None), ("abc", None)]
)  # fmt: skip
def test_whole_numbers(text: str, expected: int | None) -> None:
    assert integer(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.5", 1.5), ("-2e1 ", -20.0), ("nan", None), ("inf", None), ("1_0", None), ("", None), ("x", None)],
)
def test_decimals(text: str, expected: float | None) -> None:
    assert decimal(text) == expected
