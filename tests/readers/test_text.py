import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from readers.text import ELLIPSIS, MARKS_PER_BASE, cell_width, clip, safe_text

TROUBLE = (
    "\x1b[]PX^_\\0;123mcJHKABn!?:<=>\x07\x00\x08\x7f\x80\x84\x85\x90\x98\x9b\x9c\x9d\x9e\x9f\r\n\t"
    "\u200b\u200c\u200d\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
    "\ufeff\ue000\ud800\udfff\uffff\ufe0f\u0300\u0338\u20dd\u0e33\u0345\u1100\u1161\u11a8aäあ文👍 \u3000\xa0"
)
texts = st.one_of(st.text(), st.text(alphabet=st.sampled_from(TROUBLE)), st.text(alphabet=st.characters()))


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("Müller^Jörg", "Müller^Jörg"),
        ("山田^太郎=やまだ^たろう", "山田^太郎=やまだ^たろう"),
        ("Иванов", "Иванов"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("a\x1b]52;c;cm0gLXJm\x07b", "ab"),
        ("a\x1b]0;title\x1b\\b", "ab"),
        ("a\x9d0;title\x9cb", "ab"),
        ("a\x1bP1$r0m\x1b\\b", "ab"),
        ("Doe\x1b]Jane", "DoeJane"),
        ("a\x1b$Bb", "ab"),
        ("a\x1bcb", "ab"),
        ("\x1b\x1b[31m[31mx", "x"),
        ("[/][@click=app.bell]", "[/][@click=app.bell]"),
        ("one\r\ntwo\tthree\u2028four", "one  two three four"),
        ("Jo\u202ehn\u2066\u200b\u200f\u061c", "John"),
        ("a\u0308", "ä"),
        ("\u0301orphan", "orphan"),
        ("\ue000\uffff\ud800", ""),
        ("a\xa0b\u3000c", "a b c"),
        (b"Dr\xc3\xa9", "Dré"),
        (b"\xff\x1b[2Jx", "\ufffdx"),
    ],
)
def test_foreign_text_keeps_what_prints_and_loses_the_rest(foreign: str | bytes, shown: str) -> None:
    assert safe_text(foreign) == shown


@settings(max_examples=400)
@given(texts, st.integers(min_value=-1, max_value=40))
@example("\u1100\u1161" * 30, 10)
@example("\u0958" * 20, 5)
def test_safe_text_prints_fits_and_is_stable(foreign: str, limit: int) -> None:
    shown = safe_text(foreign, limit)
    assert shown == "" or shown.isprintable()
    assert len(shown) <= max(limit, 0)
    assert safe_text(shown, limit) == shown
    assert unicodedata.is_normalized("NFC", shown)


@given(texts)
def test_no_base_carries_more_marks_than_fit_a_cell(foreign: str) -> None:
    run = MARKS_PER_BASE
    for character in safe_text(foreign):
        run = run + 1 if unicodedata.category(character).startswith("M") else 0
        assert run <= MARKS_PER_BASE


@given(st.binary())
def test_any_bytes_become_text(foreign: bytes) -> None:
    assert safe_text(foreign) == "" or safe_text(foreign).isprintable()


def test_text_that_is_cut_says_so() -> None:
    assert safe_text("abcdef", 4) == "abc" + ELLIPSIS


def test_a_megabyte_of_nested_escapes_is_dropped_quickly() -> None:
    assert safe_text("\x1b" * 500_000 + "[31m" * 500_000).isprintable()


def test_wide_characters_cover_two_cells() -> None:
    assert cell_width("a文") == 3
    assert cell_width("e\u0301") == 1


@pytest.mark.parametrize(
    ("cells", "shown"), [(9, "文文文文"), (8, "文文文文"), (7, "文文文…"), (6, "文文…"), (1, "…"), (0, ""), (-3, "")]
)
def test_clip_never_cuts_a_wide_character_in_two(cells: int, shown: str) -> None:
    assert clip("文文文文", cells) == shown


@given(texts, st.integers(min_value=0, max_value=30))
def test_clipped_text_fits_its_cells(foreign: str, cells: int) -> None:
    assert cell_width(clip(safe_text(foreign), cells)) <= cells
