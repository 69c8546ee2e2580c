"""The line front end as somebody at a serial console, or with a screen reader, has it: lines in, lines out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.audit import Phase, Trail, verify
from tests.end_to_end.program import Program, lay, runtime


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    with runtime() as variables:
        yield variables


def test_the_main_job_in_lines(environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with Program(environment, "demo", "--plain", "--keep", str(folder)) as running:
        running.await_text("Locked. Tap your badge or phone.")
        assert lay(environment, "unknown-badge").returncode == 0
        running.await_text("This badge is not known here")
        assert lay(environment, "radiologist-badge").returncode == 0
        running.await_text("PIN of Dr. Anna Weber")
        after = running.type("918273\n")
        running.await_text("4 tries left", after)
        after = running.type("123456\n")
        running.await_text("Signed in: Dr. Anna Weber", after)
        after = running.type("query name=Mül*\n")
        running.await_text("6 studies", after)
        assert "Müller, Jörg, DH-100234 (DEMO HOSPITAL)" in running.text
        after = running.type("open 1\n")
        running.await_text("born 1954-03-12 · ID DH-100234 (DEMO HOSPITAL) · male", after)
        running.await_text("Head axial 5 mm", after)
        after = running.type("series 2\n")
        running.await_text("20 instances · ordered by position along the slice normal", after)
        after = running.type("tags 3 PatientID\n")
        running.await_text("(0010,0020)  PatientID  LO  1  2  DH-100234", after)
        after = running.type("push teaching\n")
        running.await_text("Name one of these destinations", after)
        after = running.type("push 1\n")
        running.await_text("Push 1 study · 5 series · 75 instances to Teaching files (DEMO_TEACHING)?", after)
        after = running.type("yes\n")
        running.await_text("delivered to Teaching files · 75/75 instances", after)
        after = running.type("sign out\n")
        running.await_text("You are signed out.", after)
        after = running.type("list\n")
        running.await_text("Locked. Tap your badge or phone.", after)
        assert "Müller" not in running.written[after:].decode()
        running.end_of_input()
        assert running.wait() == 0
        assert "123456" not in running.text.replace("demonstration PIN: 123456", "")
        assert running.errors == "Starting the demo.\n"
    with Trail.read_only(folder / "trail.db") as trail:
        entries = [record.entry for record in trail.read()]
    assert verify(folder / "trail.db").whole
    assert (entries[-1].act, entries[-1].phase) == ("stop", Phase.OUTCOME)
    done = {entry.act for entry in entries if entry.actor.badge == ("uid:04A1B2C3D4E580",)}
    assert {"query", "open_study", "open_series", "tags", "push", "deliver", "sign_out"} <= done


def test_what_is_typed_for_a_pin_is_not_shown(environment: dict[str, str]) -> None:
    with Program(environment, "demo", "--plain", terminal=True) as running:
        running.await_text("Locked. Tap your badge or phone.")
        after = running.type("tap radiologist-badge\n")
        running.await_text("Type the PIN", after)
        after = running.type("123456\n")
        running.await_text("Signed in", after)
        assert "123456" not in running.written[after:].decode()
        after = running.type("help\n")
        running.await_text("ends the session", after)
        assert b"help\r\n" in running.written[after:]  # the echo is back
        after = running.type("sign out\n")
        running.await_text("You are signed out.", after)
        assert b"\x1b[2J\x1b[3J" in running.written[after:]  # and nothing of the session is to be scrolled back to
        running.end_of_input()
        assert running.wait() == 0
