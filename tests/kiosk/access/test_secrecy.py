"""Planted digits, UIDs and keys are looked for wherever text comes out."""

import logging
import pickle
import sqlite3
import traceback
from collections.abc import Callable

import pytest

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.gate import PinRequired
from kiosk.errors import DirectoryError, KioskError
from tests.kiosk.access.support import PEPPER, WRONG_PIN, Room, pkoc_claim, uid_claim

PLANTED_UID = "04C0FFEE5EED01"


def planted() -> str:
    """The digits, without a name that a traceback could print."""
    return "".join(("84", "06", "27", "31"))


def everything(error: BaseException) -> str:
    """The traceback as a crash reporter prints it: chain and locals of every frame but this test's."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(report.format()) + str(error) + repr(error)


def test_an_entered_pin_shows_in_no_text_and_cannot_be_pickled() -> None:
    entered = EnteredPin(planted())
    assert planted() not in f"{entered} {entered!r} {vars(type(entered))}"
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(entered)


def break_pins(room: Room) -> None:
    with sqlite3.connect(room.path) as raw:
        raw.execute("DROP TABLE pin")
    raw.close()


@pytest.mark.parametrize("way", ["set without a table", "set for nobody", "set weak", "verify without a table"])
def test_no_traceback_holds_the_digits_or_the_pepper(room: Room, way: str) -> None:
    anna, _ = room.add("anna84062731", uid_claim(PLANTED_UID))
    if "table" in way:
        break_pins(room)
    ways: dict[str, Callable[[], object]] = {
        "set without a table": lambda: room.directory.set_pin(anna.person_id, "".join(("95", "17", "36"))),
        "set for nobody": lambda: room.pins.set("nobody", planted()),
        "set weak": lambda: room.directory.set_pin(anna.person_id, planted()),
        "verify without a table": lambda: room.pins.verify(anna.person_id, planted()),
    }
    with pytest.raises(KioskError) as raised:
        ways[way]()
    text = everything(raised.value).lower().replace("anna84062731", "")
    for secret in (planted(), "951736", PLANTED_UID, PEPPER.hex(), repr(PEPPER)):
        assert secret.lower() not in text


def test_a_hash_that_crashes_takes_no_digits_into_its_traceback(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.add("anna", uid_claim(PLANTED_UID))
    required = room.gate.decide(uid_claim(PLANTED_UID))
    assert isinstance(required, PinRequired)

    def crash(_verifier: str, _secret: bytes) -> bool:
        raise MemoryError

    monkeypatch.setattr(room.hashing, "matches", crash)
    with pytest.raises(MemoryError) as raised:
        room.gate.check_pin(required, planted())
    text = everything(raised.value)
    assert "check_pin" in text
    assert planted() not in text
    assert repr(PEPPER) not in text
    assert PLANTED_UID not in text


def test_neither_log_nor_file_holds_a_pin_a_uid_or_a_key(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("sqlalchemy.engine", "sqlalchemy.pool"):
        caplog.set_level(logging.DEBUG, logger=name)
    later = room.again()  # loggers are asked once, when an engine is made
    phone = pkoc_claim(uid="080BADCAFE0DAD")
    anna, _ = later.add("anna", uid_claim(PLANTED_UID))
    later.directory.enrol(anna.person_id, phone)
    later.directory.set_pin(anna.person_id, planted())
    for claim in (uid_claim(PLANTED_UID), phone):
        required = later.gate.decide(claim)
        assert isinstance(required, PinRequired)
        later.gate.check_pin(required, WRONG_PIN)
        later.gate.check_pin(required, planted())
    assert "checked out from pool" in caplog.text
    files = [path for path in room.path.parent.iterdir() if path.name.startswith(room.path.name)]
    assert len(files) == 3
    raw = b"".join(path.read_bytes() for path in files)
    later.engine.dispose()
    uid = bytes.fromhex(PLANTED_UID)
    for secret in (planted().encode(), WRONG_PIN.encode(), uid, uid.hex().encode(), phone.subject, PEPPER):
        assert secret not in raw
        assert secret not in caplog.text.encode()
        assert repr(secret).encode() not in caplog.text.encode()
    for secret in (PLANTED_UID.encode(), b"080BADCAFE0DAD", phone.subject.hex().encode(), b"$argon2id$", b"Anna"):
        assert secret not in caplog.text.encode()
    assert PLANTED_UID.encode() not in raw


def test_what_the_gate_hands_out_shows_no_whole_uid(room: Room) -> None:
    room.add("anna", uid_claim(PLANTED_UID))
    required = room.gate.decide(uid_claim(PLANTED_UID))
    assert isinstance(required, PinRequired)
    answer = room.gate.check_pin(required, planted())
    for value in (required, answer, room.gate, room.pins, room.directory, room.lockouts):
        assert PLANTED_UID not in repr(value).upper()
        assert planted() not in repr(value)


def test_a_duplicate_is_reported_without_its_lookup_value(room: Room) -> None:
    anna, _ = room.add("anna", uid_claim(PLANTED_UID))
    with pytest.raises(DirectoryError) as raised:
        room.directory.enrol(anna.person_id, uid_claim(PLANTED_UID))
    text = everything(raised.value)
    assert PLANTED_UID not in text
    assert repr(bytes.fromhex(PLANTED_UID)) not in text
