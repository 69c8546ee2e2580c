"""A trail that is not delivered: the screen says so, and a refusal between the two ends is on record once."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kiosk.audit import Outcome, Phase, ReadOnlyTrail, TrailStatus, codes
from kiosk.audit.forward import SinkStatus, sink_statuses
from kiosk.audit.record import Head
from kiosk.errors import TrailError
from kiosk.operations.delivery_watch import GRACE, SILENCE, DeliveryWatch
from kiosk.operations.facts import AuditDelivery, Fact, OutOfService
from kiosk.operations.hub import Hub
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.perform import Desk
from kiosk.operations.status import TrailSight
from tests.kiosk.audit.forward.authority import CLIENT, SERVER, Authority
from tests.kiosk.audit.forward.kit import append, await_fault, delivering, new_trail, sink_to, status
from tests.kiosk.audit.forward.receivers import Receiver, Rsyslog, await_that
from tests.kiosk.audit.samples import ManualClock
from tests.kiosk.operations.acts import NODE
from tests.kiosk.operations.ledgers import FullDisk, MemoryLedger

TRAIL = TrailStatus("kiosk-7", Head(10, b"\1" * 32))
WELL = SinkStatus("ARR", "tls", "arr.example:6514", 0, None, 10)


class Watched:
    """A watch on sinks that stand as a test says."""

    def __init__(self, folder: Path, ledger: MemoryLedger | None = None) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.hub = Hub()
        self.heard: list[Fact] = []
        self.hub.subscribe(self.heard.append)
        self.ledger = ledger or MemoryLedger()
        self.sinks: tuple[SinkStatus, ...] = (WELL,)
        self.fault = ""
        self.watch = self.another()

    def another(self) -> DeliveryWatch:
        """One more watch on the same state, as after a restart."""
        desk = Desk(self.ledger, lambda _: True)
        return DeliveryWatch(self.look, desk, self.hub, NODE, self.clock, self.folder / "refused.json")

    def look(self) -> TrailSight:
        """What the test says."""
        if self.fault:
            raise TrailError(self.fault)
        return TrailSight(TRAIL, self.sinks)

    def turn(self, **changes: object) -> None:
        """One look at a sink that stands like that."""
        self.sinks = (replace(self.sinks[0], **changes),)  # type: ignore[arg-type]  # fields of SinkStatus
        self.watch.turn()

    def refuse(self, settled: int = 10) -> None:
        """The receiver refuses this kiosk."""
        self.turn(fault="Audit sink ARR: expired.", fault_at=self.clock.now(), refused=True, settled=settled, waiting=3)

    def recover(self, settled: int) -> None:
        """It takes messages, and has those up to `settled` for good."""
        self.turn(fault="", fault_at=None, refused=False, settled=settled, waiting=0)

    @property
    def recorded(self) -> list[tuple[str, Outcome | None]]:
        """The outcomes on record."""
        return [(one.summary, one.outcome) for one in self.ledger.entries if one.phase is Phase.OUTCOME]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


REFUSED = ("Audit sink ARR: expired.", Outcome.SERIOUS)
RECOVERED = ("Audit sink ARR: arr.example:6514 takes the audit trail again.", Outcome.SUCCESS)


def test_a_refusal_is_on_record_once_with_its_recovery(watched: Watched) -> None:
    for _ in range(5):
        watched.refuse()
    assert watched.recorded == [REFUSED]
    watched.recover(12)
    watched.recover(14)
    assert watched.recorded == [REFUSED, RECOVERED]
    watched.refuse(14)
    assert watched.recorded == [REFUSED, RECOVERED, REFUSED]
    for entry in watched.ledger.entries:
        assert [message.event_types for message in entry.messages] in ([], [(codes.NODE_AUTHENTICATION,)])


def test_a_receiver_that_refuses_late_is_no_recovery_between_two_tries(watched: Watched) -> None:
    for _ in range(3):
        watched.refuse()
        watched.recover(10)
    assert watched.recorded == [REFUSED]
    watched.recover(11)
    assert watched.recorded == [REFUSED, RECOVERED]


def test_an_outage_that_becomes_another_one_is_the_same(watched: Watched) -> None:
    watched.refuse()
    watched.turn(fault="Audit sink ARR: nobody listens.", refused=False)
    watched.refuse()
    assert watched.recorded == [REFUSED]


def test_a_receiver_that_is_only_gone_is_no_refusal(watched: Watched) -> None:
    watched.turn(fault="Audit sink ARR: nobody listens.", fault_at=watched.clock.now())
    watched.recover(20)
    assert watched.recorded == []


def test_a_restart_forgets_no_refusal(watched: Watched) -> None:
    watched.refuse()
    later = watched.another()
    later.start()
    later.stop()
    watched.watch = later
    watched.refuse()
    assert watched.recorded == [REFUSED]
    watched.recover(12)
    assert watched.recorded == [REFUSED, RECOVERED]
    assert (watched.folder / "refused.json").read_text() == "{}"


@pytest.mark.parametrize("kept", ["", "[]", '{"ARR": "x"}', "\0"])
def test_what_was_kept_and_is_damaged_is_recorded_once_more(kept: str, watched: Watched) -> None:
    watched.refuse()
    (watched.folder / "refused.json").write_text(kept)
    watched.watch = watched.another()
    watched.watch.start()
    await_that(lambda: watched.recorded == [REFUSED, REFUSED], "it is on record again")
    watched.watch.stop()


def test_what_cannot_be_recorded_now_is_recorded_later(tmp_path: Path) -> None:
    watched = Watched(tmp_path, FullDisk())
    watched.refuse()
    assert watched.recorded == []
    watched.ledger = MemoryLedger()
    watched.watch = watched.another()
    watched.hub.publish(OutOfService("The disk is full."))
    watched.refuse()
    assert watched.recorded == []
    watched.hub.publish(OutOfService(""))
    watched.refuse()
    assert watched.recorded == [REFUSED]


def test_a_fault_is_said_after_a_moment_and_so_is_its_end(watched: Watched) -> None:
    since = watched.clock.now()
    watched.turn(fault="nobody listens", fault_at=since, waiting=3)
    assert watched.heard == []
    watched.clock.turn(GRACE)
    watched.watch.turn()
    watched.watch.turn()
    assert watched.heard == [AuditDelivery(watched.sinks)]
    watched.turn(waiting=4)
    assert watched.heard[1:] == [AuditDelivery(watched.sinks)]
    late: list[Fact] = []
    watched.hub.subscribe(late.append)
    assert late == [AuditDelivery(watched.sinks)]
    watched.recover(20)
    assert watched.heard[2:] == [AuditDelivery()]


def test_records_that_nobody_tries_to_send_are_said_too(watched: Watched) -> None:
    watched.turn(waiting=2, oldest=watched.clock.now() - timedelta(seconds=SILENCE / 2))
    assert watched.heard == []
    watched.clock.turn(SILENCE / 2)
    watched.watch.turn()
    assert watched.heard == [AuditDelivery(watched.sinks)]


def test_cursors_that_cannot_be_read_are_said(watched: Watched) -> None:
    watched.fault = "The cursor cannot be read: Permission denied."
    watched.watch.turn()
    assert watched.heard == [AuditDelivery(fault=watched.fault)]


@pytest.fixture(params=["tls", "relp"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Receiver:
    return Rsyslog(tmp_path, Authority(tmp_path), request.param)


def test_a_real_receiver_whose_certificate_expired_is_on_record_once_and_gets_the_record(
    receiver: Receiver, tmp_path: Path
) -> None:
    authority = receiver.authority
    sink = replace(sink_to(receiver, authority), resend_seconds=0.0)
    authority.issue(SERVER, is_expired=True)
    with new_trail(tmp_path) as trail, delivering(sink, trail.path, tmp_path) as forwarder:
        append(trail, 3)
        hub, desk = Hub(), Desk(TrailLedger(trail, pytest.fail), lambda _: True)

        def look() -> TrailSight:
            with ReadOnlyTrail(trail.path) as read:
                return TrailSight(trail.status(), sink_statuses([sink], tmp_path / "cursors", read))

        def acts() -> int:
            return sum(record.entry.act == "audit_sink" for record in trail.read())

        watch = DeliveryWatch(look, desk, hub, NODE, ManualClock(), tmp_path / "refused.json")
        watch.turn()
        with receiver:
            await_fault(forwarder, lambda fault: "expired" in fault)
            for _ in range(10):
                watch.turn()
            assert status(forwarder).refused
            assert acts() == 2
        authority.issue(SERVER)
        authority.issue(CLIENT)
        with receiver:
            forwarder.wake()

            def recovered() -> bool:
                watch.turn()
                return acts() == 4

            await_that(recovered, "the recovery is on record")
            assert not status(forwarder).refused
            await_that(lambda: status(forwarder).settled == trail.head().sequence, "all is delivered")
            watch.turn()
            assert acts() == 4
        alerts = [one.xml for one in receiver.messages() if "110126" in one.xml]
        assert all(f'EventOutcomeIndicator="{outcome}"' in xml for xml, outcome in zip(alerts, (8, 0), strict=True))
        assert sink.place in alerts[0]
