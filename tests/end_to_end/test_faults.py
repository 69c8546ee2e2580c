"""What a whole kiosk does when something around it fails, and when somebody should not be there."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, Queue
from threading import Event
from typing import TypeVar

import pytest

from kiosk.audit import Outcome, Phase, Trail, verify
from kiosk.config.model import KioskConfig, SessionRules
from kiosk.demo.archive import DemoArchive
from kiosk.demo.staff import DEMO_PIN, RADIOLOGIST_BADGE, TECHNOLOGIST_BADGE, UNKNOWN_BADGE
from kiosk.errors import KioskError, NoSession, NotAllowed, PeerUnreachable
from kiosk.imaging.studies.model import Study, StudyQuery
from kiosk.operations.agent import Agent
from kiosk.operations.facts import (
    AccessDenied,
    EndReason,
    Fact,
    IdleOver,
    IdleWarning,
    OutOfService,
    PinAsked,
    PinClosed,
    ReaderHealth,
    SessionEnded,
    SessionOpened,
    TransferProgress,
    TransferState,
)
from kiosk.operations.operations import OpenedStudy, PushRequest
from readers.uid import Uid
from readers.virtual.uid_card import UidCard
from tests.end_to_end.kiosks import Presenter, Running, configuration, over_pcsc, running, simulated
from tests.pcscd import PcscWithVpcd
from tests.peers import drain, free_port, run_storescp

SomeFact = TypeVar("SomeFact", bound=Fact)
LONGEST_WAIT = 60.0


class Watcher:
    """Hears every fact of a kiosk."""

    def __init__(self, agent: Agent) -> None:
        self.facts: Queue[Fact] = Queue()
        agent.subscribe(self.facts.put)

    def await_fact(
        self, kind: type[SomeFact], wanted: Callable[[SomeFact], bool] = lambda _: True, seconds: float = LONGEST_WAIT
    ) -> SomeFact:
        """The next fact of that kind; fails the test when it does not come."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                fact = self.facts.get(timeout=left)
            except Empty:
                break
            if isinstance(fact, kind) and wanted(fact):
                return fact
        pytest.fail(f"no {kind.__name__} within {seconds} s")


class AdjustableClock:
    """The machine's clock, set back or forward by a test, or run ahead."""

    def __init__(self) -> None:
        self.offset = timedelta()
        self._ahead = 0.0

    def run_ahead(self, seconds: float) -> None:
        """Time passes at once: less than the trail lets a clock stray, for somebody may look in between."""
        self._ahead += seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset + timedelta(seconds=self._ahead)

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead


@pytest.fixture(scope="module")
def embedded() -> Iterator[DemoArchive]:
    with DemoArchive() as archive:
        yield archive


@pytest.fixture
def clock() -> AdjustableClock:
    return AdjustableClock()


@pytest.fixture
def taps() -> Iterator[Presenter]:
    with simulated() as presenter:
        yield presenter


@pytest.fixture
def config(tmp_path: Path, embedded: DemoArchive) -> KioskConfig:
    return configuration(tmp_path / "state", embedded.archive, embedded.destinations[0])


@pytest.fixture
def kiosk(config: KioskConfig, taps: Presenter, clock: AdjustableClock) -> Iterator[Running]:
    with running(config, taps, clock) as kiosk:
        yield kiosk


@pytest.fixture
def watcher(kiosk: Running) -> Watcher:
    return Watcher(kiosk.agent)


def sign_in(kiosk: Running, watcher: Watcher, taps: Presenter, card: str = RADIOLOGIST_BADGE) -> SessionOpened:
    taps.tap(card)
    asked = watcher.await_fact(PinAsked)
    kiosk.agent.enter_pin(asked.claim_id, DEMO_PIN)
    return watcher.await_fact(SessionOpened)


def small_study(agent: Agent, session_id: str) -> Study:
    rows, _ = drain(agent.query(session_id, StudyQuery(modalities=("CR",)), Event()))
    assert isinstance(rows[0], Study)
    return rows[0]


def acts(kiosk: Running, act: str) -> list[tuple[Phase, Outcome | None]]:
    return [(record.entry.phase, record.entry.outcome) for record in kiosk.trail.read() if record.entry.act == act]


def until(condition: Callable[[], bool]) -> None:
    """Waits for it, a minute at most."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_trail_that_cannot_be_written_locks_the_kiosk_until_it_can(
    kiosk: Running, watcher: Watcher, taps: Presenter, clock: AdjustableClock
) -> None:
    session = sign_in(kiosk, watcher, taps)
    clock.offset = timedelta(seconds=-600)
    kiosk.agent.sign_out(session.session_id)
    assert "clock" in watcher.await_fact(OutOfService, lambda fact: bool(fact.sentence)).sentence
    assert watcher.await_fact(SessionEnded).reason is EndReason.OUT_OF_SERVICE
    taps.tap(RADIOLOGIST_BADGE)
    assert watcher.await_fact(AccessDenied).sentence == "This kiosk is out of service."
    clock.offset = timedelta()
    assert not watcher.await_fact(OutOfService).sentence
    until(lambda: acts(kiosk, "resume") == [(Phase.INTENT, None), (Phase.OUTCOME, Outcome.SUCCESS)])
    sign_in(kiosk, watcher, taps)
    assert verify(kiosk.premises.trail_path).whole


def test_a_phone_without_an_app_is_told_what_to_do(kiosk: Running, watcher: Watcher, taps: Presenter) -> None:
    taps.insert(UidCard(Uid.from_hex("08A1B2C3"), takes_apdus=True))
    assert watcher.await_fact(AccessDenied).sentence.endswith("Use the phone app or a card.")
    assert acts(kiosk, "tap")[-1] == (Phase.OUTCOME, Outcome.SERIOUS)


def test_a_pin_box_closes_on_any_other_card_event(kiosk: Running, watcher: Watcher, taps: Presenter) -> None:
    taps.tap(RADIOLOGIST_BADGE)
    first = watcher.await_fact(PinAsked)
    taps.tap(UNKNOWN_BADGE)
    assert watcher.await_fact(PinClosed).claim_id == first.claim_id
    kiosk.agent.enter_pin(first.claim_id, DEMO_PIN)
    assert watcher.await_fact(PinClosed).claim_id == first.claim_id
    with pytest.raises(NoSession):
        kiosk.agent.destinations("")


def test_wrong_pins_block_the_badge_and_grow_graver_on_record(
    kiosk: Running, watcher: Watcher, taps: Presenter
) -> None:
    taps.tap(RADIOLOGIST_BADGE)
    asked = watcher.await_fact(PinAsked)
    for wrong in range(4):
        kiosk.agent.enter_pin(asked.claim_id, f"98765{wrong}")
        assert watcher.await_fact(PinAsked).attempts_left == 4 - wrong
    kiosk.agent.enter_pin(asked.claim_id, "987659")
    assert watcher.await_fact(AccessDenied).sentence == "This badge is blocked for now. Ask the help desk."
    kiosk.agent.enter_pin(asked.claim_id, DEMO_PIN)
    watcher.await_fact(PinClosed)
    assert [outcome for phase, outcome in acts(kiosk, "enter_pin") if phase is Phase.OUTCOME] == [
        Outcome.MINOR,
        *[Outcome.SERIOUS] * 3,
        Outcome.MAJOR,
    ]


def test_idling_warns_and_then_locks(config: KioskConfig, taps: Presenter, clock: AdjustableClock) -> None:
    rules = SessionRules(idle_seconds=50.0, warning_seconds=30.0, accidental_seconds=0.0)
    with running(replace(config, session=rules), taps, clock) as kiosk:
        watcher = Watcher(kiosk.agent)
        session = sign_in(kiosk, watcher, taps)
        clock.run_ahead(25.0)
        assert watcher.await_fact(IdleWarning).seconds <= 30
        kiosk.agent.touch(session.session_id)
        watcher.await_fact(IdleOver)
        clock.run_ahead(25.0)
        watcher.await_fact(IdleWarning)
        clock.run_ahead(25.0)
        assert watcher.await_fact(SessionEnded).reason is EndReason.IDLE
        with pytest.raises(NoSession):
            next(kiosk.agent.query(session.session_id, StudyQuery(), Event()))


def test_the_end_of_a_session_wipes_what_it_retrieved(
    kiosk: Running, watcher: Watcher, taps: Presenter, config: KioskConfig
) -> None:
    session = sign_in(kiosk, watcher, taps)
    study = small_study(kiosk.agent, session.session_id)
    _, opened = drain(kiosk.agent.open_study(session.session_id, study, Event()))
    assert isinstance(opened, OpenedStudy)
    _, contents = drain(kiosk.agent.open_series(session.session_id, study, opened.series[0], Event()))
    spool = config.kiosk.state_directory / "sessions"
    assert any(path.is_file() for path in spool.rglob("*"))
    kiosk.agent.sign_out(session.session_id)
    watcher.await_fact(SessionEnded)
    assert not any(spool.rglob("*"))
    with pytest.raises(NoSession):
        kiosk.agent.picture(session.session_id, contents.instances[0], 0, 64, 64, Event())  # type: ignore[attr-defined]


def test_a_picture_needs_a_series_that_this_session_opened(kiosk: Running, watcher: Watcher, taps: Presenter) -> None:
    session = sign_in(kiosk, watcher, taps)
    study = small_study(kiosk.agent, session.session_id)
    _, opened = drain(kiosk.agent.open_study(session.session_id, study, Event()))
    assert isinstance(opened, OpenedStudy)
    _, contents = drain(kiosk.agent.open_series(session.session_id, study, opened.series[0], Event()))
    stranger = replace(contents.instances[0], file="0" * 32)  # type: ignore[attr-defined]
    with pytest.raises(NotAllowed):
        kiosk.agent.picture(session.session_id, stranger, 0, 64, 64, Event())


def test_a_front_end_cannot_make_up_whose_study_it_is(kiosk: Running, watcher: Watcher, taps: Presenter) -> None:
    session = sign_in(kiosk, watcher, taps)
    study = small_study(kiosk.agent, session.session_id)
    _, opened = drain(kiosk.agent.open_study(session.session_id, study, Event()))
    assert isinstance(opened, OpenedStudy)
    somebody = replace(study, patient=replace(study.patient, patient_id="SOMEBODY-ELSE"))
    destination = kiosk.agent.destinations(session.session_id)[0].name
    with pytest.raises(NotAllowed):
        drain(kiosk.agent.open_study(session.session_id, somebody, Event()))
    with pytest.raises(NotAllowed):
        drain(kiosk.agent.open_series(session.session_id, somebody, opened.series[0], Event()))
    with pytest.raises(NotAllowed):
        kiosk.agent.push(session.session_id, PushRequest(somebody, (), destination))
    strange = replace(opened.series[0], study_instance_uid="1.2.3")
    with pytest.raises(NotAllowed):
        drain(kiosk.agent.open_series(session.session_id, study, strange, Event()))
    for act in ("open_study", "open_series", "push"):
        assert (Phase.EVENT, Outcome.SERIOUS) in acts(kiosk, act)


def test_a_front_end_cannot_make_up_whose_tags_it_reads(kiosk: Running, watcher: Watcher, taps: Presenter) -> None:
    session = sign_in(kiosk, watcher, taps)
    study = small_study(kiosk.agent, session.session_id)
    _, opened = drain(kiosk.agent.open_study(session.session_id, study, Event()))
    assert isinstance(opened, OpenedStudy)
    _, contents = drain(kiosk.agent.open_series(session.session_id, study, opened.series[0], Event()))
    renamed = replace(contents.instances[0], sop_instance_uid="1.2.3")  # type: ignore[attr-defined]
    with pytest.raises(NotAllowed):
        drain(kiosk.agent.tags(session.session_id, renamed, Event()))
    assert acts(kiosk, "tags") == [(Phase.EVENT, Outcome.SERIOUS)]


def test_what_one_session_found_the_next_one_has_to_find_itself(
    kiosk: Running, watcher: Watcher, taps: Presenter
) -> None:
    first = sign_in(kiosk, watcher, taps)
    study = small_study(kiosk.agent, first.session_id)
    second = sign_in(kiosk, watcher, taps, TECHNOLOGIST_BADGE)
    with pytest.raises(NotAllowed):
        drain(kiosk.agent.open_study(second.session_id, study, Event()))


def test_a_kiosk_that_cannot_start_says_so_on_record_and_leaves_nothing_running(
    config: KioskConfig, taps: Presenter, clock: AdjustableClock
) -> None:
    state = config.kiosk.state_directory
    (state / "outbox.db").mkdir(parents=True)
    before = set(threading.enumerate())
    with pytest.raises(KioskError, match="outbox cannot be opened"), running(config, taps, clock):
        pass
    assert set(threading.enumerate()) <= before
    with Trail.read_only(state / "trail.db") as trail:
        started = [record.entry for record in trail.read() if record.entry.act == "start"]
    assert [(entry.phase, entry.outcome) for entry in started] == [
        (Phase.INTENT, None),
        (Phase.OUTCOME, Outcome.SERIOUS),
    ]


def test_an_archive_that_is_down_is_named_with_its_ae_title(
    config: KioskConfig, taps: Presenter, clock: AdjustableClock
) -> None:
    gone = replace(config.archives[0], port=free_port(), timeout=2.0)
    with running(replace(config, archives=(gone,)), taps, clock) as kiosk:
        watcher = Watcher(kiosk.agent)
        session = sign_in(kiosk, watcher, taps)
        with pytest.raises(PeerUnreachable, match="DEMO_PACS"):
            drain(kiosk.agent.query(session.session_id, StudyQuery(), Event()))
        assert acts(kiosk, "query")[-1] == (Phase.OUTCOME, Outcome.SERIOUS)


def push_small_study(kiosk: Running, session: SessionOpened) -> str:
    study = small_study(kiosk.agent, session.session_id)
    destination = kiosk.agent.destinations(session.session_id)[0]
    return kiosk.agent.push(session.session_id, PushRequest(study, (), destination.name)).job_id


def test_a_push_waits_for_its_destination_and_goes_on_by_itself(
    config: KioskConfig, taps: Presenter, clock: AdjustableClock
) -> None:
    port = free_port()
    missing = replace(config.destinations[0], port=port, ae_title="LATE", timeout=2.0)
    with ExitStack() as stack:
        kiosk = stack.enter_context(running(replace(config, destinations=(missing,)), taps, clock))
        watcher = Watcher(kiosk.agent)
        push_small_study(kiosk, sign_in(kiosk, watcher, taps))
        waiting = watcher.await_fact(
            TransferProgress, lambda seen: seen.state is TransferState.WAITING and bool(seen.sentence)
        )
        assert "LATE" in waiting.sentence
        assert waiting.instances_fetched == waiting.instances_total > 0
        server = stack.enter_context(run_storescp(port=port))
        done = watcher.await_fact(TransferProgress, lambda seen: seen.state.is_final)
        assert done.state is TransferState.SENT
        assert len(server.stored_files()) == done.instances_total


def test_a_push_goes_on_after_sign_out_and_after_a_restart(
    config: KioskConfig, taps: Presenter, clock: AdjustableClock
) -> None:
    port = free_port()
    late = replace(config, destinations=(replace(config.destinations[0], port=port, ae_title="LATE", timeout=2.0),))
    with running(late, taps, clock) as kiosk:
        watcher = Watcher(kiosk.agent)
        session = sign_in(kiosk, watcher, taps)
        push_small_study(kiosk, session)
        watcher.await_fact(TransferProgress, lambda seen: "LATE" in seen.sentence)
        kiosk.agent.sign_out(session.session_id)
    with run_storescp(port=port) as server, simulated() as again, running(late, again, clock) as kiosk:
        until(lambda: acts(kiosk, "deliver")[-1] == (Phase.OUTCOME, Outcome.SUCCESS))
        assert len(server.stored_files()) == 2
        watcher = Watcher(kiosk.agent)
        sign_in(kiosk, watcher, again)
        delivered = [record.entry for record in kiosk.trail.read() if record.entry.act == "deliver"][-1]
        assert delivered.actor.user_id == "a.weber"
        assert delivered.actor.badge == ("uid:04A1B2C3D4E580",)


def test_nobody_touches_anothers_transfer(kiosk: Running, watcher: Watcher, taps: Presenter) -> None:
    job_id = push_small_study(kiosk, sign_in(kiosk, watcher, taps))
    other = sign_in(kiosk, watcher, taps, TECHNOLOGIST_BADGE)
    with pytest.raises(NotAllowed):
        kiosk.agent.cancel_push(other.session_id, job_id)
    assert acts(kiosk, "cancel_push") == [(Phase.EVENT, Outcome.SERIOUS)]


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.long)])
def test_the_reader_is_missed_when_pcscd_dies_and_found_when_it_returns(
    times: int, config: KioskConfig, clock: AdjustableClock, pcsc_with_vpcd: PcscWithVpcd
) -> None:
    with over_pcsc(pcsc_with_vpcd) as presenter, running(config, presenter, clock) as kiosk:
        watcher = Watcher(kiosk.agent)
        watcher.await_fact(ReaderHealth, lambda health: health.available)
        for _ in range(times):
            pcsc_with_vpcd.kill_daemon()
            assert watcher.await_fact(ReaderHealth, lambda health: not health.available).sentence
            pcsc_with_vpcd.start_daemon()
            watcher.await_fact(ReaderHealth, lambda health: health.available)
        sign_in(kiosk, watcher, presenter)
