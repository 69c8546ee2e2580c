"""The evolving key: today's makes none of yesterday's MACs, and yesterday's is on no disk."""

import hmac
import shutil
from pathlib import Path

import pytest

from kiosk.audit import Evidence, Occasion, Trail, verify
from kiosk.audit.mac_key import MacKey, MacKeyFile, commitment
from kiosk.errors import TrailError
from tests.kiosk.audit.samples import SOURCE, ManualClock, event, stored, tamper, trail_in

KEY = MacKey(0, bytes(range(32)))


def key_file(trail: Trail) -> Path:
    return trail.path.with_name(trail.path.name + ".keys") / "mac.key"


def test_an_epoch_follows_from_the_one_before_and_from_no_later_one() -> None:
    by_hand = hmac.digest(KEY.key, b"kiosk trail epoch" + (1).to_bytes(8, "big"), "sha256")
    assert KEY.at(1).key == by_hand
    assert KEY.at(1).at(5) == KEY.at(5)
    with pytest.raises(ValueError, match="does not go back"):
        KEY.at(5).at(4)
    assert KEY.key.hex() not in repr(KEY)


def test_the_file_holds_the_newest_key_and_no_other(tmp_path: Path) -> None:
    file = MacKeyFile(tmp_path / "mac.key")
    first = file.create()
    for epoch in (1, 2, 7):
        assert file.advance(epoch) == first.at(epoch)
        content = (tmp_path / "mac.key").read_bytes()
        assert [at for at in range(9) if first.at(at).key in content] == [epoch]
        assert file.read() == first.at(epoch)
    with pytest.raises(TrailError, match="put back to an earlier copy"):
        file.advance(6)


@pytest.mark.parametrize("cut", ["before", "half", "after"])
def test_a_power_cut_while_the_key_moves_loses_nothing(tmp_path: Path, cut: str) -> None:
    path = tmp_path / "mac.key"
    file = MacKeyFile(path)
    first = file.create()
    content = bytearray(path.read_bytes())
    file.advance(1)
    moved = path.read_bytes()
    if cut == "half":
        content[512:530] = moved[512:530]
    elif cut == "after":
        content[512:] = moved[512:]  # written, and the old one not yet wiped
    path.write_bytes(content)
    assert file.read().epoch == (1 if cut == "after" else 0)
    assert file.advance(1) == first.at(1)
    assert first.key not in path.read_bytes()


def test_a_key_file_that_is_damaged_is_refused(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(event(1))
    key_file(trail).write_bytes(bytes(576))
    with pytest.raises(TrailError, match="MAC key of the audit trail is damaged"):
        trail.open()


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(event(1))
    key_file(trail).chmod(0o640)
    with pytest.raises(TrailError, match="MAC key of the audit trail is open to others"):
        trail.open()


def test_escrow_gives_the_first_key_until_it_has_evolved(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        first = trail.escrow()
        assert commitment(first) == trail.identity.mac_commitment
        trail.append(event(1))
        trail.checkpoint(Occasion.BUSY)
        trail.append(event(2))
        with pytest.raises(TrailError, match="is gone, as it should be"):
            trail.escrow()
    assert first not in key_file(trail).read_bytes()
    assert verify(trail.path, evidence=Evidence(first_mac_key=first)).whole
    found = verify(trail.path, evidence=Evidence(first_mac_key=bytes(32)))
    assert (found.whole, found.foreign) == (False, True)


def test_who_takes_the_disk_cannot_write_yesterday_anew(tmp_path: Path) -> None:
    """The thief has the file and all keys of today; the escrow holder has K(0)."""
    with trail_in(tmp_path / "true") as trail:
        first = trail.escrow()
        for number in range(6):
            trail.append(event(number))
            trail.checkpoint(Occasion.BUSY)
    stolen = MacKeyFile(key_file(trail)).read()
    content = stored(trail.path)
    other = MacKey(0, stolen.key)  # whatever else they try with it
    for sequence, _, value in content:
        for key in (stolen, other, *(other.at(epoch) for epoch in range(1, 8))):
            statement = "UPDATE record SET mac = ? WHERE sequence = ?"
            copy = tmp_path / "forged.db"
            shutil.copyfile(trail.path, copy)
            tamper(copy, (statement, (key.record(value), sequence)))
            found = verify(copy, evidence=Evidence(first_mac_key=first))
            assert found.first_bad == sequence


def test_a_forged_tail_without_the_key_keeps_the_trail_closed(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        for number in range(3):
            trail.append(event(number))
    tamper(trail.path, ("UPDATE record SET mac = zeroblob(16) WHERE sequence = 2", ()))
    with pytest.raises(TrailError, match="Record 2 of the audit trail was not written with its key"):
        trail.open()


def test_a_trail_that_was_put_back_is_older_than_its_own_key(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(event(1))
        trail.checkpoint(Occasion.BUSY)
    shutil.copyfile(trail.path, tmp_path / "older.db")
    with trail:
        trail.append(event(2))
        trail.checkpoint(Occasion.BUSY)
    shutil.copyfile(tmp_path / "older.db", trail.path)
    with pytest.raises(TrailError, match="older than its own MAC key"):
        trail.open()


def test_a_trail_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(event(1))
        trail.checkpoint(Occasion.BUSY)
    trail.path.unlink()
    with pytest.raises(TrailError, match="is gone, though its keys have been used"):
        trail.open()


def test_two_processes_move_the_key_in_turns(tmp_path: Path) -> None:
    with trail_in(tmp_path) as one, trail_in(tmp_path) as other:
        first = one.escrow()
        for number in range(4):
            for trail in (one, other):
                trail.append(event(number))
                trail.checkpoint(Occasion.BUSY)
    assert verify(one.path, evidence=Evidence(first_mac_key=first)).checkpoints == 8
    with Trail(one.path, "kiosk-7", SOURCE, ManualClock(), 0) as again:
        again.append(event(9))
