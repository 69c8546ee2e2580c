"""Whatever is written into the texts of a study, the terminal gets none of its control characters to see."""

import re
from collections.abc import Iterator

import pytest

from kiosk.demo.odd import POISON, POISONED, POISONED_NARROWLY
from tests.end_to_end.program import SEQUENCES, Program, runtime

PLANTED = (b"\x1b]", b"\x1b[2J\x1b]52", b"\x1b[5m", b"\x1b[1m", b"\x07", b"\x00", b"cm0gLXJm")
"""From POISON and the short texts beside it. But for POINTER, no kiosk writes these while a session is open."""
INVISIBLE = re.compile("[\x80-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
POINTER = b"\x1b]22;default\x07"
"""The shape of the mouse's pointer, which Textual sets when it changes screens."""
OWN_SCREEN = re.compile(
    rb"\x1b\[[0-9;]*[mH]"  # colours, the cursor's place
    rb"|\x1b\[\?(?:25|2026)[hl]"  # the cursor shown or not, a frame drawn at once
)
"""What the full-screen terminal may write while a session is open."""


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    with runtime() as variables:
        yield variables


def test_nothing_planted_reaches_the_screen(environment: dict[str, str]) -> None:
    with Program(environment, "demo", "--odd", terminal=True) as running:
        running.await_text("Tap your badge or phone")
        running.type("\x1bOP")
        running.await_text("PIN of Dr. Anna Weber")
        running.type("123456\r")
        began = running.await_text("Patient name")
        running.type("Mallory*\r")
        running.await_text("1 study", began)
        running.await_text("Mallory", began)
        after = running.type("\r")
        running.await_text("Enter opens a series.", after)
        running.await_text("1 series", after)
        after = running.type("\r")
        running.await_text("3 instances", after)
        running.await_text("NOT FOR DIAGNOSIS", after)
        after = running.type("t")
        running.await_text("SpecificCharacterSet", after)
        seen = _leaf_through(running)
        assert {"DeviceSerialNumber", "TextValue", "PatientAge"} <= seen
        after = running.type("\x1b")
        running.await_text("3 instances", after)
        after = running.type("p")
        running.await_text("Push 1 study", after)
        after = running.type("\r")
        running.await_text("delivered to Teaching files", after)
        after = running.type("\x1b[19~")
        running.await_text("Instances", after)
        written = running.written[began:]
        running.end()
    # It was taken in the middle of something: from the first whole sequence to the last.
    written = written[written.index(b"\x1b[") : written.rindex(b"\x1b[")].replace(POINTER, b"")
    _no_poison(written)
    foreign = {found for found in SEQUENCES.findall(written) if not OWN_SCREEN.fullmatch(found)}
    assert not foreign


def test_nothing_planted_reaches_the_lines(environment: dict[str, str]) -> None:
    with Program(environment, "demo", "--odd", "--plain", terminal=True) as running:
        running.await_text("Locked. Tap your badge")
        running.type("tap radiologist-badge\n")
        running.await_text("Type the PIN")
        running.type("123456\n")
        began = running.await_text("Signed in: ")
        running.type('query name="Mallory*"\n')
        running.await_text("1 study", began)
        after = running.type("open 1\n")
        running.await_text("Mallory", after)
        after = running.type("series 1\n")
        running.await_text("3 instances", after)
        after = running.type("tags 1\n")
        for keyword in (*POISONED, *POISONED_NARROWLY):
            running.await_text(keyword, after)
        after = running.type("push 1\n")
        running.await_text("yes or no?", after)
        after = running.type("yes\n")
        running.await_text("delivered to Teaching files", after)
        running.type("transfers\n")
        running.await_text("Mallory", after)
        written = running.written[began:]
        running.end()
    _no_poison(written)
    assert b"\x1b" not in written


def test_the_poison_is_what_it_is_taken_for() -> None:
    assert all(planted in POISON.encode() for planted in (b"\x1b[2J\x1b]52", b"\x07", b"cm0gLXJm"))
    assert set(INVISIBLE.findall(POISON)) == {"\x9b", "\u202e", "\u2066", "\u200b"}


def _leaf_through(running: Program) -> set[str]:
    """All pages of the tags; gives the keywords that were to be seen."""
    seen: set[str] = set()
    wanted = {*POISONED, *POISONED_NARROWLY}
    for _ in range(12):
        after = running.type("\x1b[6~")
        running.await_text("\n", after)
        seen |= {keyword for keyword in wanted if keyword in running.text}
    return seen


def _no_poison(written: bytes) -> None:
    text = written.decode()  # a terminal's output is whole UTF-8
    assert "Mallory" in text
    assert "evil" in text
    for planted in PLANTED:
        assert planted not in written, planted
    assert not INVISIBLE.search(text)
