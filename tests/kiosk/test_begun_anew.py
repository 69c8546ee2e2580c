"""A trail that takes the place of one that is gone says so, in its first record and for as long as it has that."""

import errno
from pathlib import Path

import pytest
from lxml import etree

from kiosk.audit import Outcome, ReadOnlyTrail, Surroundings, Trail, codes, standing, verify, wire
from kiosk.audit.decode import fields_of
from kiosk.audit.forward.stream import Position, parcels
from kiosk.config.loader import load
from kiosk.errors import TrailError
from kiosk.operations.status import trail_status
from kiosk.premises import Premises
from tests.kiosk.audit.samples import SOURCE, ManualClock, event
from tests.kiosk.audit.test_xml import SCHEMA


def trail_at(folder: Path, *, was_one: bool) -> Trail:
    return Trail(folder / "trail.sqlite", "kiosk-7", SOURCE, ManualClock(), 0, was_one=was_one)


def test_its_first_record_is_a_security_alert_that_recording_stopped_and_started(tmp_path: Path) -> None:
    with trail_at(tmp_path, was_one=True) as trail:
        (record,) = trail.read()
        (parcel,) = parcels(trail, Position(), "kiosk-7", SOURCE)
    assert (record.sequence, record.entry.act, record.entry.outcome) == (1, "trail_begun_anew", Outcome.MAJOR)
    assert [(message.event_types, message.outcome) for message in record.entry.messages] == [
        ((codes.AUDIT_RECORDING_STOPPED,), Outcome.MAJOR),
        ((codes.AUDIT_RECORDING_STARTED,), Outcome.SUCCESS),
    ]
    for message in parcel.messages:
        SCHEMA.assertValid(etree.fromstring(message.xml.encode("utf-8")))
    assert verify(trail.path).whole


def test_its_status_says_so_wherever_it_is_asked_for(tmp_path: Path) -> None:
    for was_one in (True, False):
        with trail_at(tmp_path, was_one=was_one) as trail:  # the second time it is there: it stays what it was
            status = trail.status()
            assert status.begun_anew == ManualClock().now()
            assert wire.status_of(fields_of(wire.status_json(status), "status")) == status
            trail.append(event())
    with ReadOnlyTrail(trail.path) as read:
        assert trail_status(read).begun_anew == ManualClock().now()
        around = Surroundings(tmp_path / "none")
        assert standing(read, ManualClock().now(), around).begun_anew == ManualClock().now()


def test_the_first_trail_of_a_kiosk_says_nothing_of_the_kind(tmp_path: Path) -> None:
    with trail_at(tmp_path, was_one=False) as trail:
        assert trail.head().sequence == 0
        trail.append(event())
        assert trail.status().begun_anew is None
    with ReadOnlyTrail(trail.path) as read:
        assert trail_status(read).begun_anew is None


def test_a_trail_comes_with_that_record_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kiosk.audit.trail.encode_body", full)
        with pytest.raises(TrailError, match="No space left"):
            trail_at(tmp_path, was_one=True).open()
    with trail_at(tmp_path, was_one=True) as again:
        assert again.status().begun_anew is not None
        assert [record.sequence for record in again.read()] == [1]


def premises(folder: Path) -> Premises:
    config = folder / "kiosk.toml"
    config.write_text(f'[kiosk]\nname = "kiosk-7"\nstate_directory = "{folder / "state"}"\n')
    return Premises(load(config))


def test_a_kiosk_whose_trail_was_deleted_has_that_on_record(tmp_path: Path) -> None:
    at = premises(tmp_path)
    with at.own_trail() as trail:
        trail.append(event())
        assert trail.status().begun_anew is None
    for left in tmp_path.rglob("trail.*"):
        left.unlink()
    with at.own_trail() as trail:  # its keys were never used: they are taken for the new one
        assert trail.status().begun_anew is not None
        assert next(iter(trail.read())).entry.act == "trail_begun_anew"


def test_a_kiosk_whose_trail_is_gone_beside_used_keys_stays_locked(tmp_path: Path) -> None:
    at = premises(tmp_path)
    with at.signed_trail() as trail:
        trail.append(event())
    for left in tmp_path.rglob("trail.*"):
        left.unlink()
    with pytest.raises(TrailError, match="is gone, though its keys have been used"):
        at.own_trail().open()
