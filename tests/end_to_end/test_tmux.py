"""The real terminal in tmux: keys in, screen out, as a person at the wall has it."""

import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator

import pytest

from kiosk.demo.people import PATIENTS
from tests.end_to_end.program import COLUMNS, COMMAND, LOOK, PATIENCE, ROWS, gone, runtime

NEWER_THAN_AN_ACCIDENT = 3.0
"""Seconds of a session before its badge, tapped again, means the end."""


class Tmux:
    """One tmux server on a socket of its own, with one window."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._name = f"kiosk-{secrets.token_hex(4)}"

    def run(self, *words: str, check: bool = True) -> str:
        """One command of tmux."""
        done = subprocess.run(
            ["tmux", "-L", self._name, "-f", "/dev/null", *words],
            capture_output=True, text=True, timeout=PATIENCE, env=self._environment, check=check,
        )  # fmt: skip
        return done.stdout

    def press(self, *keys: str) -> None:
        """Keys by their names in tmux."""
        self.run("send-keys", *keys)

    def type(self, text: str) -> None:
        """Text as it is."""
        self.run("send-keys", "-l", text)

    @property
    def screen(self) -> str:
        """What is to be seen now."""
        return self.run("capture-pane", "-p")

    @property
    def everything(self) -> str:
        """The screen, what has scrolled away, and the screen behind the full-screen program."""
        behind = self.run("capture-pane", "-p", "-a", "-q", "-S", "-", check=False)
        return self.run("capture-pane", "-p", "-S", "-") + behind

    def await_screen(self, *words: str) -> str:
        """Waits until all those words are to be seen at once."""
        return self.until(lambda screen: all(word in screen for word in words), f"{words} did not come")

    def until(self, true: Callable[[str], bool], otherwise: str) -> str:
        """Waits for a screen of which that is true."""
        deadline = time.monotonic() + PATIENCE
        while not true(screen := self.screen):
            assert time.monotonic() < deadline, f"{otherwise}. On the screen:\n{screen}"
            time.sleep(5 * LOOK)
        return screen


@pytest.fixture
def tmux() -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.fail("tmux is not installed")
    with runtime() as environment, tempfile.TemporaryDirectory(prefix="tmux-") as folder:
        server = Tmux(environment | {"TMUX_TMPDIR": folder})
        server.run("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), *COMMAND, "demo")
        process = int(server.run("display-message", "-p", "#{pane_pid}"))
        try:
            yield server
        finally:
            server.run("kill-server", check=False)
            assert gone({process})


def test_the_main_job_by_its_keys(tmux: Tmux) -> None:
    locked = tmux.await_screen("Tap your badge or phone", "Radiologist's badge", "Unknown badge")
    assert "Reading room 3" in locked
    tmux.press("F1")
    asked = tmux.await_screen("PIN of Dr. Anna Weber", "5 tries left")
    assert "Demonstration PIN: 123456" in asked
    tmux.type("123456")
    tmux.press("Enter")
    tmux.await_screen("Dr. Anna Weber", "badge …E580", "locks in", "Patient name")
    began = time.monotonic()
    tmux.type("Mül*")
    tmux.press("Enter")
    tmux.await_screen("6 studies", "Müller, Jörg", "born 1954-03-12 · ID DH-100234 (DEMO HOSPITAL) · male")
    tmux.press("Enter")
    tmux.await_screen("5 series", "Head axial 5 mm", "Enter opens a series.")
    tmux.press("Down")
    tmux.press("Enter")
    tmux.await_screen("20 instances · ordered by position along the slice normal", "1/20", "NOT FOR DIAGNOSIS", "▀▀▀▀")
    tmux.press("t")
    tags = tmux.await_screen("(0008,0005)", "SpecificCharacterSet", "ISO_IR 100")
    assert "Müller, Jörg" in tags
    tmux.press("Escape")
    tmux.await_screen("20 instances", "Head axial 5 mm")
    tmux.press("p")
    question = tmux.await_screen("Push 1 study · 5 series · 75 instances to Teaching files (DEMO_TEACHING)?")
    assert "Müller, Jörg · born 1954-03-12" in question
    tmux.press("Enter")
    tmux.await_screen("delivered to Teaching files · 75/75 instances")
    time.sleep(max(0.0, began + NEWER_THAN_AN_ACCIDENT - time.monotonic()))
    tmux.press("F1")
    tmux.await_screen("You are signed out.", "Tap your badge or phone")
    _nothing_is_left(tmux.everything)
    _another_badge_takes_the_terminal_over(tmux)


def _another_badge_takes_the_terminal_over(tmux: Tmux) -> None:
    tmux.press("F2")
    tmux.await_screen("PIN of Michael Okafor")
    tmux.type("123456")
    tmux.press("Enter")
    tmux.await_screen("Michael Okafor · technologist", "Patient name")
    tmux.press("Enter")
    tmux.await_screen("63 studies", "Tanaka, Hanako")
    tmux.press("F1")
    tmux.await_screen("PIN of Dr. Anna Weber")
    _nothing_is_left(tmux.everything.replace("PIN of Dr. Anna Weber", ""))
    # The box belongs to its tap: an unknown badge closes it.
    tmux.press("F4")
    said = ("This badge is not known here", "Tap your badge or phone")
    tmux.until(lambda screen: all(words in screen for words in said) and "PIN of" not in screen, "The box stays")


def _nothing_is_left(text: str) -> None:
    names = {part for patient in PATIENTS for part in patient.name.replace("=", "^").split("^") if len(part) > 1}
    left = [secret for secret in names | {patient.patient_id for patient in PATIENTS} if secret in text]
    assert not left, text
    assert "Anna Weber" not in text
    assert "Okafor" not in text
    assert "▀" not in text
