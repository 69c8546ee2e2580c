"""`kiosk read` prints what a reader sees, exactly; `kiosk tap` is what lays a card there."""

import json
import signal
from pathlib import Path
from typing import Any

from kiosk.demo.staff import UNKNOWN_BADGE, deck
from readers.control import remove
from readers.virtual.pkoc_phone import PkocPhone
from tests.end_to_end.program import Program, kiosk, lay

DECK = """
[[card]]
name = "badge"
label = "A badge"
kind = "uid"
uid = "9A:0B:1C:2D"

[[card]]
name = "bare phone"
kind = "uid"
uid = "08112233"
"""


def test_cards_of_the_demo_are_read_as_they_are_tapped(environment: dict[str, str]) -> None:
    with Program(environment, "read", "--reader", "simulated", "--json", "--count", "2") as reading:
        reading.await_text('"attached"')
        assert lay(environment, "radiologist-badge").returncode == 0
        reading.await_text('"card"')
        assert lay(environment, "radiologist-phone").returncode == 0
        assert reading.wait() == 0
        attached, card, removed, phone = _lines(reading)
    reader = {"reader": "Simulated reader"}
    uid = {"uid": "04A1B2C3D4E580", "random": False}
    assert attached == {"event": "attached", **reader}
    said = {"kind": "iso14443", "subject": "04A1B2C3D4E580", "assurance": "IDENTIFIER"}
    assert card == {"event": "card", **reader, **uid, **said}
    assert removed == {"event": "removed", **reader, **uid}
    owner = deck()["radiologist-phone"]
    assert isinstance(owner, PkocPhone)
    assert list(phone) == ["event", "reader", "uid", "random", "kind", "subject", "assurance"]
    assert (phone["event"], phone["kind"], phone["assurance"]) == ("card", "pkoc", "AUTHENTICATED")
    assert phone["subject"].startswith("pkoc:")
    assert phone["random"] is True
    assert phone["uid"].startswith("08")
    assert bytes.fromhex(phone["uid"]).hex().upper() == phone["uid"]


def test_a_deck_of_ones_own_and_a_socket_of_ones_own(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "deck.toml").write_text(DECK)
    spec, socket = f"simulated:{tmp_path / 'deck.toml'}", str(Path(environment["XDG_RUNTIME_DIR"]) / "own" / "socket")
    with Program(environment, "read", "--reader", spec, "--json", "--socket", socket) as reading:
        reading.await_text('"attached"')
        reading.await_error(f"kiosk tap CARD --socket {socket}")
        listed = kiosk(environment, "tap", "?", "--socket", socket)
        assert listed.stdout == "badge  A badge\nbare phone  bare phone\n"
        kiosk(environment, "tap", "bare phone", "--socket", socket, "--seconds", "60")
        reading.await_text('"refused"')
        remove(Path(socket))
        reading.await_text('"removed"')
        # Ctrl+C, as whoever watches a reader ends it.
        assert reading.end(signal.SIGINT) == 130
        _, refused, removed = _lines(reading)
    uid = {"uid": "08112233", "random": True}
    assert {key: refused[key] for key in ("event", "uid", "random", "reason")} == {
        "event": "refused",
        **uid,
        "reason": "random_uid",
    }
    assert "phone" in refused["sentence"]
    assert "kind" not in refused
    assert removed == {"event": "removed", "reader": "Simulated reader", **uid}
    assert "Traceback" not in reading.errors


def test_without_json_a_line_is_for_people(environment: dict[str, str]) -> None:
    with Program(environment, "read", "--reader", "simulated", "--count", "1") as reading:
        reading.await_text("attached")
        lay(environment, UNKNOWN_BADGE)
        assert reading.wait() == 0
        assert "event=card  reader=Simulated reader  uid=9A0B1C2D" in reading.text


def test_reading_ends_when_nobody_listens_any_more(environment: dict[str, str]) -> None:
    with Program(environment, "read", "--reader", "simulated", "--json") as reading:
        reading.await_text('"attached"')
        reading.deafen()
        lay(environment, UNKNOWN_BADGE)
        assert reading.wait() == 1
        assert "Traceback" not in reading.errors
        assert "stumbled" not in reading.errors


def test_a_second_simulated_reader_is_told_what_to_do(environment: dict[str, str]) -> None:
    with Program(environment, "read", "--reader", "simulated") as reading:
        reading.await_text("attached")
        second = kiosk(environment, "read", "--reader", "simulated")
        assert second.returncode == 1
        assert "--socket of its own" in second.stderr


def test_readers_that_cannot_be_are_said(environment: dict[str, str]) -> None:
    for spec, said in (
        ("nonsense:1", "nonsense"),
        ("simulated:/nowhere/deck.toml", "The deck /nowhere/deck.toml cannot be read"),
    ):
        done = kiosk(environment, "read", "--reader", spec)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_tap_without_a_reader_or_of_an_unknown_card_is_said(environment: dict[str, str]) -> None:
    nobody = lay(environment, "radiologist-badge")
    assert (nobody.returncode, nobody.stderr) == (1, "kiosk: No simulated reader is running there.\n")
    with Program(environment, "read", "--reader", "simulated") as reading:
        reading.await_text("attached")
        unknown = kiosk(environment, "tap", "library-card")
        assert unknown.returncode == 1
        assert 'There is no card "library-card". There are: radiologist-badge' in unknown.stderr
        assert "kiosk: A tap lasts" in kiosk(environment, "tap", UNKNOWN_BADGE, "--seconds", "0").stderr


def _lines(reading: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in reading.written.decode().splitlines()]
