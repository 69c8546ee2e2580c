"""A time of day that was moved is noticed, and believed again when it is right or stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.audit import Trail, TrailRules, verify
from kiosk.errors import TrailError
from tests.kiosk.audit.samples import SOURCE, event


class TwoClocks:
    """A wall clock that somebody can move while the other runs on."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
        self.steady = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def run(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds

    def move(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> TwoClocks:
    return TwoClocks()


@pytest.fixture
def trail(tmp_path: Path, clock: TwoClocks) -> Trail:
    rules = TrailRules(clock_seconds=60, settle_seconds=600)
    trail = Trail(tmp_path / "trail.db", "kiosk-7", SOURCE, clock, 0, rules=rules)
    trail.open()
    trail.append(event(1))
    return trail


def test_hours_that_pass_are_no_jump(trail: Trail, clock: TwoClocks) -> None:
    clock.run(30 * 86400)
    assert trail.append(event(2)).sequence == 2


def test_a_clock_that_strays_within_its_bound_is_believed(trail: Trail, clock: TwoClocks) -> None:
    for seconds in (59, -59, 60, -60):
        clock.move(seconds)
        trail.append(event(2))
    trail.check()


@pytest.mark.parametrize(
    ("seconds", "sentence"),
    [
        (3600, "The clock was moved forward by 3600 s."),
        (61, "The clock was moved forward by 61 s."),
        (-61, "The clock was moved back by 61 s."),
        (-86400 * 365, "The clock was moved back by 31536000 s."),
    ],
)
def test_a_clock_that_was_moved_stops_the_trail_until_it_is_put_right(
    trail: Trail, clock: TwoClocks, seconds: float, sentence: str
) -> None:
    clock.run(10)
    clock.move(seconds)
    for attempt in (lambda: trail.append(event(2)), trail.check, trail.reopen, lambda: trail.append(event(2))):
        with pytest.raises(TrailError, match=sentence):
            attempt()
    clock.move(-seconds)
    trail.resume()
    trail.append(event(3))
    stopped, goes_on, after = trail.read(2)
    assert stopped.entry.summary == f"Audit recording stopped: {sentence}"
    assert stopped.time == datetime(2026, 11, 22, 20, 0, 10, tzinfo=UTC)  # as the steady clock has it
    assert goes_on.entry.summary == f"Audit recording goes on after: {sentence}"
    assert after.entry == event(3)
    trail.close()
    assert verify(trail.path).whole


def test_a_jump_that_nobody_takes_back_is_believed_after_a_while(trail: Trail, clock: TwoClocks) -> None:
    clock.move(3600)
    with pytest.raises(TrailError, match="moved forward"):
        trail.check()
    clock.run(599)
    with pytest.raises(TrailError, match="moved forward"):
        trail.reopen()
    clock.run(1)
    trail.resume()
    assert trail.append(event(2)).time == clock.now()


def test_a_clock_that_keeps_jumping_is_never_believed(trail: Trail, clock: TwoClocks) -> None:
    for _ in range(10):
        clock.move(3600)
        clock.run(300)
        with pytest.raises(TrailError, match="moved forward"):
            trail.reopen()


def test_without_a_time_to_settle_a_jump_is_never_believed(tmp_path: Path, clock: TwoClocks) -> None:
    rules = TrailRules(settle_seconds=0)
    with Trail(tmp_path / "trail.db", "kiosk-7", SOURCE, clock, 0, rules=rules) as trail:
        trail.append(event(1))
        clock.move(3600)
        with pytest.raises(TrailError, match="moved forward"):
            trail.check()
        clock.run(10 * 86400)
        with pytest.raises(TrailError, match="moved forward"):
            trail.reopen()


def test_what_lies_between_two_runs_is_no_jump(trail: Trail, clock: TwoClocks) -> None:
    trail.close()
    clock.move(86400)
    with Trail(trail.path, "kiosk-7", SOURCE, clock, 0) as again:
        again.append(event(2))
