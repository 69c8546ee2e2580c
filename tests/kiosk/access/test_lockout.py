from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest

from kiosk.access.lockout import Blocked, Free, LockedOut, Lockouts, LockState
from kiosk.database.engine import open_database
from tests.kiosk.access.support import HandClock, Room, furnish, pkoc_claim, uid_claim


def test_backoff_doubles_from_thirty_seconds_and_the_tenth_failure_disables(room: Room) -> None:
    lockouts = room.lockouts
    for left in (5, 4, 3, 2, 1):
        assert lockouts.begin_attempt("p", "c") == Free(left)
    for block in (30, 60, 120, 240, 480):
        assert lockouts.state("p", "c") == Blocked(room.clock.now() + timedelta(seconds=block))
        room.clock.advance(block - 0.001)
        assert isinstance(lockouts.begin_attempt("p", "c"), Blocked)
        room.clock.advance(0.001)
        assert lockouts.begin_attempt("p", "c") == Free(1)
    assert lockouts.state("p", "c") == LockedOut()
    room.clock.advance(10 * 365 * 24 * 3600)
    assert lockouts.begin_attempt("p", "c") == LockedOut()


def test_an_attempt_refused_by_a_block_is_not_counted(room: Room) -> None:
    for _ in range(5):
        room.lockouts.begin_attempt("p", "c")
    for _ in range(20):
        assert isinstance(room.lockouts.begin_attempt("p", "c"), Blocked)
    room.clock.advance(30)
    assert room.lockouts.state("p", "c") == Free(1)


def test_a_right_pin_starts_the_count_anew(room: Room) -> None:
    for _ in range(4):
        room.lockouts.begin_attempt("p", "c")
    room.lockouts.clear("p", "c")
    assert room.lockouts.state("p", "c") == Free(5)


def test_failures_with_one_credential_block_the_persons_others(room: Room) -> None:
    for _ in range(5):
        room.lockouts.begin_attempt("p", "badge")
    assert isinstance(room.lockouts.state("p", "phone"), Blocked)
    assert room.lockouts.state("q", "other") == Free(5)


def test_signing_in_with_the_phone_gives_a_stolen_badge_no_new_guesses(room: Room) -> None:
    for _ in range(4):
        room.lockouts.begin_attempt("p", "stolen badge")
    room.lockouts.begin_attempt("p", "phone")
    room.clock.advance(30)
    room.lockouts.clear("p", "phone")
    assert room.lockouts.state("p", "stolen badge") == Free(1)
    assert room.lockouts.state("p", "phone") == Free(5)
    assert room.lockouts.begin_attempt("p", "stolen badge") == Free(1)
    assert isinstance(room.lockouts.state("p", "stolen badge"), Blocked)


def test_a_reset_forgets_the_person_and_all_their_credentials(room: Room) -> None:
    anna, badge = room.add("anna", uid_claim())
    phone = room.directory.enrol(anna.person_id, pkoc_claim())
    boris, token = room.add("boris", uid_claim("04000000000001"))
    for person, credential in ((anna, badge), (anna, phone), (boris, token)):
        room.lockouts.begin_attempt(person.person_id, credential.credential_id)
    room.lockouts.reset(anna.person_id)
    for credential in (badge, phone):
        assert room.lockouts.state(anna.person_id, credential.credential_id) == Free(5)
    assert room.lockouts.state(boris.person_id, token.credential_id) == Free(4)


def test_restarts_give_no_guess_back(tmp_path: Path, clock: HandClock) -> None:
    guesses = 0
    for _ in range(100):
        room = furnish(tmp_path / "directory.db", clock)
        guesses += isinstance(room.lockouts.begin_attempt("p", "c"), Free)
        room.engine.dispose()
        clock.advance(1)
    assert guesses == 5 + 2  # five at once, one when 30 s are over and one when 60 s more are


def test_a_clock_set_back_never_shortens_a_block(room: Room) -> None:
    for _ in range(5):
        room.lockouts.begin_attempt("p", "c")
    room.clock.time -= timedelta(days=365)
    assert isinstance(room.lockouts.begin_attempt("p", "c"), Blocked)


@pytest.mark.parametrize("engines", [1, 2])
def test_guesses_at_the_same_moment_are_all_counted(tmp_path: Path, clock: HandClock, engines: int) -> None:
    opened = [open_database(f"sqlite:///{tmp_path / 'directory.db'}") for _ in range(engines)]
    together, answers = Barrier(8), list[LockState]()

    def guess(number: int) -> None:
        lockouts = Lockouts(opened[number % engines], clock)
        together.wait(60)
        answers.append(lockouts.begin_attempt("p", "c"))

    threads = [Thread(target=guess, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(isinstance(answer, Free) for answer in answers) == 5
    assert len(answers) == 8
    for engine in opened:
        engine.dispose()
