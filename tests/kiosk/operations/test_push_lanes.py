"""Several destinations at a time, one push to each, and turns for those that want the same one."""

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from kiosk.audit import Entry, Outcome
from kiosk.clock import SystemClock
from kiosk.errors import Cancelled
from kiosk.imaging.calls import Found, InstanceKey, Received, Retrieved, SendState, Sent, SentInstance, ToSend
from kiosk.imaging.outbox import JobState
from kiosk.imaging.peers import Peer
from kiosk.operations import parcel_send, turn
from kiosk.operations.operations import PushRequest
from kiosk.operations.push_claims import PushClaims
from kiosk.operations.settlement import DeliveryRules
from kiosk.operations.turn import TURN_SECONDS, Turn
from tests.kiosk.operations.acts import ARCHIVE, STUDY
from tests.kiosk.operations.test_deliver import Office, Peers


@dataclass
class Town(Peers):
    """An archive with a series in each study, and destinations that can be held up by name.

    `begun` are the pushes of the destinations as they come, `most` how many were busy at a time: all, and each.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    held: dict[str, Event] = field(default_factory=dict)
    arrived: list[tuple[str, str]] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    begun: list[tuple[str, str]] = field(default_factory=list)
    most: Counter[str] = field(default_factory=Counter)
    on_arrival: Callable[[str], None] = field(default=lambda _: None)
    _busy: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find_instances(self, _: Peer, study: str, __: str, ___: Event) -> Generator[InstanceKey, None, Found]:
        for number in range(self.sizes.get(study, 3)):
            yield InstanceKey(f"{study}.{number}", "1.2", None)
        return Found(0, False)

    def retrieve(
        self, _: Peer, study: str, series: str, only: tuple[str, ...], __: str, cancel: Event, **_options: object
    ) -> Generator[Received, None, Retrieved]:
        self.asked.append(only)
        for uid in only or [f"{study}.{number}" for number in range(self.sizes.get(study, 3))]:
            self.on_fetch(cancel)
            name = secrets.token_hex(16)
            (self.folder / name).touch()
            yield Received(uid, "1.2", series, "1.2.840", name, 10)
        return Retrieved(0, 0)

    def send(self, peer: Peer, files: tuple[ToSend, ...], _: str, cancel: Event) -> Generator[SentInstance, None, Sent]:
        with self.at_work(peer.name):
            self.begun.append((peer.name, files[0].sop_instance_uid.rpartition(".")[0]))
            for file in files:
                gate = self.held.get(peer.name)
                while gate is not None and not gate.wait(0.01):
                    if cancel.is_set():
                        raise Cancelled
                self.arrived.append((peer.name, file.sop_instance_uid))
                self.on_arrival(file.sop_instance_uid)
                yield SentInstance(file.sop_instance_uid, SendState.STORED, file.size)
        return Sent(len(files), 0)

    @contextmanager
    def at_work(self, name: str) -> Iterator[None]:
        with self._lock:
            self._busy[name] += 1
            self.most[name] = max(self.most[name], self._busy[name])
            self.most["all"] = max(self.most["all"], sum(count > 0 for count in self._busy.values()))
        try:
            yield
        finally:
            with self._lock:
                self._busy[name] -= 1


class LeapingClock(SystemClock):
    """Leaves time out."""

    leapt = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.leapt

    def pass_turn(self) -> None:
        """Whatever has begun has had its turn."""
        self.leapt += TURN_SECONDS


class City(Office):
    """An office with destinations A to F."""

    town: Town

    def __init__(self, folder: Path, at_once: int = 4) -> None:
        self.town, self.clock = Town(folder / "spool"), LeapingClock()
        super().__init__(folder, self.town, DeliveryRules(destinations_at_once=at_once), self.clock)
        self.known |= {name: replace(ARCHIVE, name=name) for name in "ABCDEF"}

    def push(self, destination: str, study: str = "1.2.3") -> str:
        return self.add(PushRequest(replace(STUDY, study_instance_uid=study), (), destination))

    def hold(self, *names: str) -> None:
        self.town.held |= {name: Event() for name in names}

    def release(self, *names: str) -> None:
        for name in names:
            self.town.held[name].set()

    def ended(self, job_id: str = "") -> list[Entry]:
        """What is on record of attempts that have ended, of one push or all."""
        ended = [entry for entry in self.ledger.entries if entry.act == "deliver" and entry.outcome is not None]
        return [entry for entry in ended if job_id in ("", dict(entry.details)["job"])]

    def await_begun(self, *names: str) -> None:
        self.await_that(lambda: {*names} <= {name for name, _ in self.town.begun})


Build = Callable[..., City]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    built: list[City] = []

    def make(**settings: Any) -> City:
        built.append(City(tmp_path, **settings))
        return built[-1]

    yield make
    for city in built:
        city.deliverer.stop()
        city.outbox.close()


def test_a_destination_that_hangs_keeps_nobody_from_the_others(build: Build) -> None:
    city = build()
    city.hold("A")
    hanging, behind = city.push("A"), city.push("A", "1.2.4")
    city.deliverer.start()
    city.await_begun("A")
    assert city.await_state(city.push("B")).state is JobState.DELIVERED
    assert city.outbox.job(hanging).state is JobState.SENDING
    assert city.outbox.job(behind).state is JobState.WAITING
    city.deliverer.cancel(hanging)
    assert city.await_state(hanging).state is JobState.CANCELLED
    city.release("A")
    assert city.await_state(behind).state is JobState.DELIVERED


def test_no_more_destinations_are_busy_than_the_rules_allow(build: Build) -> None:
    city = build(at_once=2)
    city.hold(*"ABCDE")
    jobs = [city.push(name) for name in "ABCDE"]
    city.deliverer.start()
    city.await_begun("A", "B")
    assert {name for name, _ in city.town.begun} == {"A", "B"}
    city.release(*"ABCDE")
    assert {city.await_state(job).state for job in jobs} == {JobState.DELIVERED}
    assert city.town.most["all"] == 2


def test_pushes_to_one_destination_go_one_after_the_other_and_in_order(build: Build) -> None:
    city = build()
    jobs = [city.push(name, f"1.2.{number}") for number in range(6) for name in "ABC"]
    city.deliverer.start()
    for job in jobs:
        assert city.await_state(job).state is JobState.DELIVERED
    for name in "ABC":
        assert [study for to, study in city.town.begun if to == name] == [f"1.2.{number}" for number in range(6)]
        assert city.town.most[name] == 1
    assert all(count == 1 for count in Counter(city.town.arrived).values())
    assert Counter(dict(entry.details)["job"] for entry in city.ended()) == Counter(jobs)
    assert {entry.outcome for entry in city.ended()} == {Outcome.SUCCESS}


def test_a_stop_breaks_off_every_lane_and_each_goes_on_at_the_next_start(build: Build) -> None:
    city = build()
    city.hold("A", "B")
    jobs = [city.push("A"), city.push("B")]
    city.deliverer.start()
    city.await_begun("A", "B")
    city.deliverer.stop()
    stood = [city.outbox.job(job) for job in jobs]
    assert [(job.state, job.sentence) for job in stood] == [
        (JobState.WAITING, "Goes on when the kiosk is back."),
    ] * 2


def test_what_has_just_come_for_one_lane_is_not_swept_away_by_another(build: Build) -> None:
    city = build()
    city.hold("A")
    slow = city.push("A")
    city.deliverer.start()
    city.await_begun("A")
    arriving = city.spool.folder / ("a" * 32)
    arriving.touch()
    assert city.await_state(city.push("B")).state is JobState.DELIVERED
    city.await_that(lambda: not city.deliverer._claims.holds(city.outbox.jobs((JobState.DELIVERED,))[0].job_id))
    assert arriving.exists()
    city.release("A")
    assert city.await_state(slow).state is JobState.DELIVERED
    city.await_that(lambda: not arriving.exists())


def test_a_small_push_does_not_wait_for_the_end_of_a_large_one(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel_send, "CUT_SECONDS", 0.0)
    city = build()
    city.town.sizes = {"1.2.100": 160}
    small = ""

    def ask_for_a_small_one(uid: str) -> None:
        nonlocal small
        if uid == "1.2.100.60":
            small = city.push("A", "1.2.5")
            city.clock.pass_turn()

    city.town.on_arrival = ask_for_a_small_one
    large = city.push("A", "1.2.100")
    city.deliverer.start()
    assert city.await_state(large).state is JobState.DELIVERED
    assert city.await_state(small).state is JobState.DELIVERED
    order = [uid for _, uid in city.town.arrived]
    assert order[100:103] == ["1.2.5.0", "1.2.5.1", "1.2.5.2"]
    assert sorted(order) == sorted({*order})
    assert len(order) == 163
    first, last = city.ended(large)
    assert first.outcome is Outcome.SUCCESS
    assert "100 of 160 instances, it goes on after others" in first.summary
    assert {message.outcome for message in first.messages} == {Outcome.SUCCESS}
    assert dict(last.details)["delivered"] == "160"


def test_an_archive_that_is_slow_with_a_large_study_is_asked_for_the_rest_later(build: Build) -> None:
    city = build()
    city.town.sizes = {"1.2.100": 5}
    asked = iter(range(100))
    jobs: list[str] = []

    def ask_for_a_small_one(_: Event) -> None:
        if next(asked) == 2:
            jobs.append(city.push("A", "1.2.5"))
            city.clock.pass_turn()

    city.town.on_fetch = ask_for_a_small_one
    large = city.push("A", "1.2.100")
    city.deliverer.start()
    assert city.await_state(large).state is JobState.DELIVERED
    assert city.await_state(jobs[0]).state is JobState.DELIVERED
    assert city.town.asked == [(), (), ("1.2.100.3", "1.2.100.4")]
    assert [study for _, study in city.town.begun] == ["1.2.100", "1.2.5", "1.2.100"]


def test_a_turn_lasts_until_others_wait_and_then_stays_over() -> None:
    now, others = 0.0, False
    given = Turn(lambda: now, lambda: others)
    now = TURN_SECONDS + 1
    assert not given.is_over
    others = True
    assert given.is_over
    others = False
    assert given.is_over
    assert not Turn(lambda: now, lambda: True).is_over


def test_a_push_waits_for_no_lane_while_one_is_free(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its turn is over only for others that could go instead: with a lane free, those to other destinations can."""
    monkeypatch.setattr(turn, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(parcel_send, "CUT_SECONDS", 0.0)
    city = build(at_once=2)
    city.town.sizes = {"1.2.100": 120}
    job = city.push("A", "1.2.100")
    others = [city.push("B", f"1.2.{number}") for number in range(4)]
    city.deliverer.start()
    assert {city.await_state(one).state for one in (job, *others)} == {JobState.DELIVERED}
    assert len(city.ended(job)) == 1


def test_a_retry_in_the_moment_in_which_a_push_fails_is_not_lost(build: Build) -> None:
    city = build()
    job_id = city.push("A", "1.2.5")
    claims = PushClaims(city.outbox, SystemClock(), 1)
    claim = claims.take(Event())
    assert claim is not None
    claims.retry(job_id)
    assert not claim.again
    city.outbox.set_state(job_id, JobState.FAILED, "Nobody is there.")
    claims.retry(job_id)
    claims.settle(claim, Event(), written=True)
    assert city.outbox.job(job_id).state is JobState.FAILED
    claims.leave(claim)
    assert city.outbox.job(job_id).state is JobState.WAITING
