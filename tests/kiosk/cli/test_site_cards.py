"""Cards of a demo's own site: tapped, read with its keys, and refused with a sentence where a key is not there."""

import json
from typing import Any

import pytest

from tests.end_to_end.program import Program, kiosk, lay
from tests.kiosk.cli.conftest import Kept

SITE_CARDS = {
    "radiologist-desfire": ("desfire", "AUTHENTICATED", "desfire:"),
    "radiologist-piv": ("piv", "AUTHENTICATED", "piv:"),
    "technologist-ntag424": ("ntag424", "AUTHENTICATED", "ntag424:"),
    "auditor-wallet": ("emv", "IDENTIFIER", "emv:"),
}
pytestmark = pytest.mark.timeout(180)  # the first test to come waits for the demo


def test_a_reader_with_the_sites_keys_knows_its_cards(kept: Kept, environment: dict[str, str]) -> None:
    words = ["read", "--config", kept.config, "--json", "--count", str(len(SITE_CARDS))]
    with Program(environment, *words) as reading:
        reading.await_text('"attached"')
        for name in SITE_CARDS:
            assert lay(environment, name).returncode == 0
            reading.await_text(f'"subject": "{SITE_CARDS[name][2]}')
        assert reading.wait() == 0
        lines: list[dict[str, Any]] = [json.loads(line) for line in reading.written.decode().splitlines()]
    told = [line for line in lines if line["event"] == "card"]
    assert [(line["kind"], line["assurance"]) for line in told] == [found[:2] for found in SITE_CARDS.values()]
    assert [line["random"] for line in told] == [True, False, False, True]
    assert "4111111111111111" not in reading.written.decode() + reading.errors


def test_a_reader_without_the_keys_knows_no_such_card(environment: dict[str, str]) -> None:
    with Program(environment, "read", "--reader", "simulated") as reading:
        reading.await_text("attached")
        done = kiosk(environment, "tap", "radiologist-desfire")
        assert done.returncode == 1
        assert 'There is no card "radiologist-desfire". There are: radiologist-badge' in done.stderr


def test_the_demos_people_hold_them_and_the_cards_are_listed(kept: Kept, environment: dict[str, str]) -> None:
    listed = kiosk(environment, "staff", "list", "--config", kept.config)
    for person, kind in (("a.weber", "desfire"), ("y.tanaka", "piv"), ("m.okafor", "ntag424"), ("s.lindqvist", "emv")):
        (line,) = [line for line in listed.stdout.splitlines() if line.startswith(person)]
        assert kind in line
    with Program(environment, "demo", "--plain") as running:
        running.await_text("Locked. Tap your badge or phone.")
        names = [line.split("  ")[0] for line in kiosk(environment, "tap", "?").stdout.splitlines()]
        assert names[:5] == [
            "radiologist-badge",
            "technologist-badge",
            "radiologist-phone",
            "unknown-badge",
            "auditor-badge",
        ]
        assert set(names[5:]) == set(SITE_CARDS)
        assert lay(environment, "technologist-ntag424").returncode == 0
        running.await_text("PIN of Michael Okafor")
        after = running.type("123456\n")
        running.await_text("Signed in: Michael Okafor", after)
        running.end_of_input()
        assert running.wait() == 0


def test_an_auditor_may_come_with_their_wallet(kept: Kept, environment: dict[str, str]) -> None:
    with Program(environment, "audit", "show", "--config", kept.config, terminal=True) as reading:
        reading.await_text("Tap your badge")
        assert lay(environment, "auditor-wallet").returncode == 0
        reading.await_text("PIN: ")
        reading.type("123456\n")
        assert reading.wait() == 0
        assert "emv:" in reading.text


def test_a_configured_scheme_without_its_key_is_refused_everywhere(kept: Kept, environment: dict[str, str]) -> None:
    key = kept.folder / "keys" / "credentials" / "desfire-read.key"
    key.unlink()
    for command in (
        ["config", "check"],
        ["run", "--plain"],
        ["doctor"],
        ["read", "--count", "1"],
        ["audit", "export"],
    ):
        done = kiosk(environment, *command, "--config", kept.config)
        said = done.stdout + done.stderr
        assert done.returncode == 1, command
        assert "credentials.desfire has no key: desfire-read.key: No such file or directory." in said, command
        assert f"Put the key's 32 hexadecimal digits into {key}, mode 0600" in said
        assert "`kiosk credentials keys make` makes one for new cards" in said
        assert "Traceback" not in said


def test_a_key_that_others_may_read_is_refused_and_not_shown(kept: Kept, environment: dict[str, str]) -> None:
    key = kept.folder / "keys" / "credentials" / "desfire-read.key"
    key.chmod(0o644)
    done = kiosk(environment, "config", "check", "--config", kept.config)
    assert done.returncode == 1
    assert "desfire-read.key: others may read it; set its mode to 0600." in done.stderr
    assert key.read_text() not in done.stdout + done.stderr


def test_the_doctor_names_what_cards_are_asked_for(kept: Kept, environment: dict[str, str]) -> None:
    done = kiosk(environment, "doctor", "--config", kept.config)
    said = "Cards and phones are asked, strongest first: pkoc, piv, desfire, ntag424, emv, iso14443."
    assert f"ok       {said}" in done.stdout
