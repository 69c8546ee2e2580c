"""The outbox at work against archives and destinations that lie, and moments that are badly chosen."""

import secrets
import threading
from collections.abc import Callable, Container, Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from kiosk.audit import Entry, Outcome, Phase
from kiosk.clock import Clock, SystemClock
from kiosk.errors import Cancelled, NotAllowed, PeerAborted, PeerLacks, PeerRefused, StorageFull
from kiosk.imaging.calls import (
    CommitmentAsked,
    CommitmentReport,
    Found,
    Imaging,
    InstanceKey,
    Received,
    Retrieved,
    SendState,
    Sent,
    SentInstance,
    ToSend,
)
from kiosk.imaging.outbox import JobState, Outbox, OutboxJob
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import Series
from kiosk.operations.deliver import Deliverer
from kiosk.operations.facts import BadgeView, Fact, PersonView, SessionOpened, TransferProgress
from kiosk.operations.hub import Hub
from kiosk.operations.operations import PushRequest
from kiosk.operations.perform import Desk
from kiosk.operations.settlement import DeliveryRules
from tests.kiosk.access.support import NOON
from tests.kiosk.operations.acts import ARCHIVE, SERIES, SESSION, STUDY
from tests.kiosk.operations.ledgers import MemoryLedger

OPENED = SessionOpened("s1", PersonView("a.weber", "A", "radiologist"), BadgeView("badge", ""), frozenset(), 1, 1, NOON)
REQUEST = PushRequest(STUDY, (), "Archive")
LONGEST_WAIT = 60.0
Hook = Callable[[Event], None]


def nothing(_: Event) -> None:
    pass


@dataclass
class Peers:
    """An archive with one series of `listed` that sends `sends`, and a destination; hooks run at each step."""

    folder: Path
    listed: tuple[str, ...] = ("1.1", "1.2", "1.3")
    sends: tuple[str, ...] | None = None
    reason: str = ""
    on_list: Hook = nothing
    on_fetch: Hook = nothing
    on_send: Hook = nothing
    series: tuple[Series, ...] = (SERIES,)
    sent: list[str] = field(default_factory=list)

    def find_series(self, _peer: Peer, _study: str, cancel: Event) -> Generator[Series, None, Found]:
        self.on_list(cancel)
        yield from self.series
        return Found(len(self.series), False)

    def find_instances(self, _: Peer, __: str, series: str, ___: Event) -> Generator[InstanceKey, None, Found]:
        prefix = "" if series == SERIES.series_instance_uid else f"{series}."
        for uid in self.listed:
            yield InstanceKey(prefix + uid, "1.2", None)
        return Found(len(self.listed), False)

    def retrieve(
        self, _: Peer, __: str, series: str, only: tuple[str, ...], spool: str, cancel: Event, **_options: object
    ) -> Generator[Received, None, Retrieved]:
        if series != SERIES.series_instance_uid:
            raise PeerRefused("Archive (PACS) refused to send: no such series.")
        for uid in only or (self.listed if self.sends is None else self.sends):
            self.on_fetch(cancel)
            name = secrets.token_hex(16)
            (Path(spool) / name).touch()
            yield Received(uid, "1.2", series, "1.2.840", name, 10)
        return Retrieved(0, 0, self.reason)

    def commit(self, *_: object) -> CommitmentAsked:
        raise PeerLacks("Archive (PACS) does not offer storage commitment.")

    def reports(self, _: Event) -> Generator[CommitmentReport, None, None]:
        yield from ()

    def send(self, _: Peer, files: tuple[ToSend, ...], __: str, cancel: Event) -> Generator[SentInstance, None, Sent]:
        for file in files:
            self.on_send(cancel)
            self.sent.append(file.sop_instance_uid)
            yield SentInstance(file.sop_instance_uid, SendState.STORED, file.size)
        return Sent(len(files), 0)


class FillingOutbox(Outbox):
    """An outbox whose disk can be filled up and emptied."""

    full = False
    claiming: Callable[[], None] = staticmethod(lambda: None)

    def _change(self) -> Any:
        if self.full:
            raise StorageFull("The disk is full: the outbox takes nothing more.")
        return super()._change()

    def next_due(self, now: datetime, busy: Container[str] = ()) -> OutboxJob | None:
        job = super().next_due(now, busy)
        if job is not None:
            self.claiming()
        return job


class Office:
    """A deliverer with its outbox; `heard` are the facts for the person at the terminal."""

    def __init__(
        self,
        folder: Path,
        peers: Peers | None = None,
        rules: DeliveryRules | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.spool = Spool(folder / "spool", durable=True)
        self.peers = peers or Peers(self.spool.folder)
        self.outbox = FillingOutbox(folder / "outbox.db")
        self.outbox.open()
        self.ledger = MemoryLedger()
        self.hub = Hub()
        self.heard: list[Fact] = []
        self.moved = Event()
        self.known = {ARCHIVE.name: ARCHIVE}
        self.hub.subscribe(self._hear)
        self.hub.publish(OPENED)
        self.deliverer = Deliverer(
            Desk(self.ledger, lambda _: True),
            cast("Imaging", self.peers),
            self.outbox,
            self.spool,
            self._peer,
            self._peer,
            self.hub,
            clock or SystemClock(),
            rules,
        )
        self.deliverer.viewer_came("s1", "a.weber")

    def _hear(self, fact: Fact) -> None:
        self.heard.append(fact)
        self.moved.set()

    def _peer(self, name: str) -> Peer:
        if name not in self.known:
            raise NotAllowed("That destination is not configured here.")
        return self.known[name]

    def add(self, request: PushRequest = REQUEST) -> str:
        return self.deliverer.add(request, SESSION)

    def run(self, request: PushRequest = REQUEST) -> OutboxJob:
        """Adds a push and waits for its end."""
        job_id = self.add(request)
        self.deliverer.start()
        return self.await_state(job_id)

    def await_state(
        self, job_id: str, wanted: Callable[[OutboxJob], bool] = lambda job: job.state.is_final
    ) -> OutboxJob:
        """Waits for a fact about the job in a state that is wanted."""
        until = SystemClock().monotonic() + LONGEST_WAIT
        while SystemClock().monotonic() < until:
            self.moved.clear()
            told = [fact for fact in self.heard if isinstance(fact, TransferProgress) and fact.job_id == job_id]
            job = self.outbox.job(job_id)
            if wanted(job) and told and told[-1].state.value == job.state.value:
                return job
            self.moved.wait(0.05)
        pytest.fail(f"the push stands at {self.outbox.job(job_id)}")

    @staticmethod
    def await_that(is_so: Callable[[], bool]) -> None:
        """Waits for what the outbox's thread brings about."""
        until = SystemClock().monotonic() + LONGEST_WAIT
        while not is_so():
            assert SystemClock().monotonic() < until
            Event().wait(0.02)

    def last(self, act: str = "deliver") -> Entry:
        return [entry for entry in self.ledger.entries if entry.act == act][-1]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.deliverer.stop()
    office.outbox.full = False
    office.outbox.close()


def test_a_push_goes_and_leaves_no_files(office: Office) -> None:
    assert office.run().state is JobState.DELIVERED
    assert office.peers.sent == ["1.1", "1.2", "1.3"]
    assert not office.spool.names()


def test_a_study_without_instances_has_not_been_pushed(office: Office) -> None:
    office.peers.listed = ()
    job = office.run()
    assert (job.state, job.sentence) == (JobState.FAILED, f"{ARCHIVE} lists no instances of this study.")
    assert office.last().outcome is Outcome.SERIOUS


def test_a_chosen_series_that_is_gone_is_not_left_out_in_silence(office: Office) -> None:
    job = office.run(PushRequest(STUDY, (SERIES.series_instance_uid, "1.9"), "Archive"))
    assert (job.state, job.sentence) == (JobState.FAILED, f"{ARCHIVE} lists 1 of the chosen series no more.")
    assert not office.peers.sent


def test_a_study_that_grows_while_it_is_fetched_still_goes(office: Office) -> None:
    office.peers.sends = ("1.1", "1.2", "1.3", "1.4")
    assert office.run().state is JobState.DELIVERED
    assert office.peers.sent == ["1.1", "1.2", "1.3"]
    assert not office.spool.names()


def test_what_the_archive_does_not_send_is_named_with_its_reason(office: Office) -> None:
    office.peers.sends, office.peers.reason = ("1.2", "1.2", "9.9"), "out of resources"
    job = office.run()
    assert (job.state, job.sentence) == (JobState.FAILED, "2 instances did not arrive.")
    failures = office.outbox.counts(job.job_id).failures
    assert [(one.sop_instance_uid, one.reason) for one in failures] == [
        ("1.1", "out of resources"),
        ("1.3", "out of resources"),
    ]
    assert office.peers.sent == ["1.2"]


def test_one_series_that_is_refused_does_not_keep_the_others(office: Office) -> None:
    office.peers.series = (Series("1.2.3", "0.1", 1, "PR", "", "", 3), SERIES)
    job = office.run()
    assert job.state is JobState.FAILED
    assert office.peers.sent == ["1.1", "1.2", "1.3"]
    assert office.outbox.counts(job.job_id).failures[0].reason.endswith("no such series.")


def test_a_push_that_cannot_be_read_any_more_stops_no_other(office: Office) -> None:
    poisoned = OutboxJob("bad", "a.weber", b"{}", "Archive", "Archive", "1.2.3", (), JobState.WAITING)
    office.outbox.add(poisoned)
    assert office.run().state is JobState.DELIVERED
    assert office.outbox.job("bad").state is JobState.FAILED
    assert office.ledger.phases("deliver")[0] is Phase.EVENT
    office.deliverer.viewer_came("s1", "a.weber")


def test_a_destination_that_is_gone_from_the_configuration_is_on_record(office: Office) -> None:
    office.known.clear()
    assert office.run().state is JobState.FAILED
    assert office.ledger.phases("deliver") == [Phase.EVENT]
    assert office.last().actor.user_id == "a.weber"


def test_a_full_disk_holds_the_outbox_up_and_no_longer(office: Office) -> None:
    def fill(_: Event) -> None:
        office.outbox.full = True

    office.peers.on_fetch = fill
    job_id = office.add()
    office.deliverer.start()
    office.await_that(lambda: office.ledger.phases("deliver") == [Phase.INTENT, Phase.OUTCOME])
    Event().wait(1.5)  # long enough to be taken up again
    assert len(office.ledger.entries) == 2
    office.peers.on_fetch = nothing
    office.outbox.full = False
    assert office.await_state(job_id).state is JobState.DELIVERED
    assert office.peers.sent == ["1.1", "1.2", "1.3"]


@pytest.mark.parametrize("step", ["on_list", "on_fetch", "on_send"])
def test_a_mistake_of_ours_fails_one_push_and_no_other(office: Office, step: str) -> None:
    def stumble(_: Event) -> None:
        setattr(office.peers, step, nothing)
        raise ZeroDivisionError

    setattr(office.peers, step, stumble)
    first, second = office.add(), office.add()
    office.deliverer.start()
    assert office.await_state(first).state is JobState.FAILED
    assert office.await_state(second).state is JobState.DELIVERED


@pytest.mark.parametrize("step", ["on_list", "on_fetch", "on_send"])
def test_a_cancelled_push_stays_cancelled_whatever_the_peer_does_then(office: Office, step: str) -> None:
    job_id = ""

    def cancel_and_break(_: Event) -> None:
        office.deliverer.cancel(job_id)
        raise PeerAborted("Archive (PACS) broke off.")

    setattr(office.peers, step, cancel_and_break)
    job_id = office.add()
    office.deliverer.start()
    assert office.await_state(job_id).state is JobState.CANCELLED
    assert not office.spool.names()
    setattr(office.peers, step, nothing)
    office.deliverer.retry(job_id)
    assert office.await_state(job_id, lambda job: job.state is not JobState.CANCELLED and job.state.is_final)
    assert sorted(office.peers.sent) == ["1.1", "1.2", "1.3"]


def test_a_push_that_is_cancelled_as_it_is_taken_up_is_not_sent(office: Office) -> None:
    """The claim and the cancel take turns: whichever comes first, the other sees it."""
    done = Event()
    job_id = ""

    def cancel_now() -> None:
        def cancel() -> None:
            office.deliverer.cancel(job_id)
            done.set()

        office.outbox.claiming = lambda: None
        threading.Thread(target=cancel, daemon=True).start()
        done.wait(0.3)

    def wait_for_it(cancel: Event) -> None:
        assert done.wait(LONGEST_WAIT)
        if cancel.is_set():
            raise Cancelled

    office.outbox.claiming = cancel_now
    office.peers.on_list = wait_for_it
    job_id = office.add()
    office.deliverer.start()
    assert office.await_state(job_id).state is JobState.CANCELLED
    office.deliverer.stop()
    assert office.outbox.job(job_id).state is JobState.CANCELLED
    assert not office.peers.sent


def test_a_retry_of_a_push_that_runs_does_not_make_it_look_done(office: Office) -> None:
    job_id = ""
    office.peers.sends = ("1.2", "1.3")
    office.peers.on_send = lambda _: office.deliverer.retry(job_id)
    job_id = office.add()
    office.deliverer.start()
    job = office.await_state(job_id)
    assert (job.state, job.sentence) == (JobState.FAILED, "1 instance did not arrive.")
    assert office.peers.sent == ["1.2", "1.3"]


def test_what_a_killed_process_left_in_the_spool_is_gone_after_the_start(office: Office) -> None:
    office.spool.prepare()
    for name in ("a" * 32, "b" * 32 + ".part"):
        (office.spool.folder / name).touch()
    office.run()
    assert not list(office.spool.folder.iterdir())


def test_a_push_that_is_done_is_forgotten_when_the_next_session_begins(office: Office) -> None:
    job = office.run()
    office.deliverer.viewer_left()
    office.deliverer.viewer_came("s1", "a.weber")
    office.await_that(lambda: not office.outbox.jobs())
    assert job.state is JobState.DELIVERED


def test_progress_is_for_the_person_whose_push_it_is(office: Office) -> None:
    office.deliverer.viewer_came("s1", "somebody.else")
    office.add()
    office.deliverer.start()
    office.await_that(lambda: bool(office.outbox.jobs((JobState.DELIVERED,))) and not office.spool.names())
    office.deliverer.stop()  # what it tells at the end, it has told
    assert len(office.peers.sent) == 3
    assert not [fact for fact in office.heard if isinstance(fact, TransferProgress)]
