"""The first seconds of a terminal."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.program import Program, runtime

PUSHING_BACK = Path("/proc/sys/dev/tty/legacy_tiocsti")


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    with runtime() as variables:
        yield variables


@pytest.mark.skipif(
    PUSHING_BACK.exists() and PUSHING_BACK.read_text().strip() == "0" and os.geteuid() != 0,
    reason="this kernel lets nobody put typed keys back",
)
def test_a_key_that_is_typed_at_once_waits_for_the_screen(environment: dict[str, str]) -> None:
    # This terminal answers no question either, and is none the slower for it to be usable.
    with Program(environment, "demo", terminal=True, answers=False) as running:
        running.type("\x1bOP")
        running.await_text("PIN of Dr. Anna Weber")
        assert running.end() == 0


def test_a_screen_that_has_no_terminal_is_said(environment: dict[str, str]) -> None:
    with Program(environment, "demo") as running:
        running.end_of_input()
        assert running.wait() == 1
        assert "--plain" in running.errors
        assert "Traceback" not in running.errors
