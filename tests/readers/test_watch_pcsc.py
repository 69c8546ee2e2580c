"""ReaderWatch over a real pcscd that is killed and started again."""

import time
from collections.abc import Iterator
from queue import Queue

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from readers.credentials.claim import Claim, Refusal, RefusalReason
from readers.credentials.standard import LadderSources, standard_ladder
from readers.pcsc import open_spec
from readers.reader import Card, CardPresented, CardRemoved, ReaderAttached, ReaderDetached, ReaderEvent
from readers.uid import Uid
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard
from readers.watch import ReaderWatch, Reading
from tests.pcscd import READERS, PcscWithVpcd
from tests.readers.cards import ManualClock

LOST_WITHIN = 2.0
BACK_WITHIN = 5.0
PATIENCE = 60.0
BADGE = UidCard(Uid.from_hex("04A1B2C3D4E580"))


class Wall:
    """A watched PC/SC reader and what came of it."""

    def __init__(self, spec: str) -> None:
        self.events: Queue[ReaderEvent] = Queue()
        self.taps: Queue[Uid | None] = Queue()
        self.crashes: list[Exception] = []
        reader = open_spec(spec.partition(":")[2])
        self.watch = ReaderWatch(reader, self.events.put, self.on_card, on_crash=self.crashes.append)

    def on_card(self, presented: CardPresented, card: Card) -> Reading:
        uid = card.uid
        return Reading(uid, lambda: self.taps.put(uid))

    def expect(self, kind: type[ReaderEvent]) -> ReaderEvent:
        event = self.events.get(timeout=PATIENCE)
        assert isinstance(event, kind), event
        return event


@pytest.fixture
def wall(pcsc_with_vpcd: PcscWithVpcd) -> Iterator[Wall]:
    wall = Wall(pcsc_with_vpcd.spec)
    wall.watch.start()
    wall.expect(ReaderAttached)
    yield wall
    wall.watch.stop()
    assert wall.crashes == []


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.timeout(400)
def test_a_killed_daemon_is_noticed_and_recovered_from_every_time(
    pcsc_with_vpcd: PcscWithVpcd, wall: Wall, kills: int
) -> None:
    lost, back = [], []
    for _ in range(kills):
        killed = time.monotonic()
        pcsc_with_vpcd.kill_daemon()
        detached = wall.expect(ReaderDetached)
        lost.append(time.monotonic() - killed)
        assert isinstance(detached, ReaderDetached)
        assert detached.reader.name == READERS[0]
        assert "pcscd" in detached.reason
        assert not wall.watch.attached
        time.sleep(0.3)
        pcsc_with_vpcd.start_daemon()
        started = time.monotonic()
        wall.expect(ReaderAttached)
        back.append(time.monotonic() - started)
        assert wall.watch.alive
    # A machine that is busy elsewhere may take longer at times.
    assert min(lost) < LOST_WITHIN
    assert min(back) < BACK_WITHIN
    pcsc_with_vpcd.insert(BADGE)
    assert wall.taps.get(timeout=PATIENCE) == BADGE.uid
    assert wall.events.qsize() == 1


def test_a_tap_is_read_and_its_end_is_told(pcsc_with_vpcd: PcscWithVpcd, wall: Wall) -> None:
    pcsc_with_vpcd.insert(BADGE)
    assert wall.taps.get(timeout=PATIENCE) == BADGE.uid
    wall.expect(CardPresented)
    pcsc_with_vpcd.remove()
    wall.expect(CardRemoved)


def test_a_badge_that_rests_while_the_daemon_restarts_is_tapped_once(pcsc_with_vpcd: PcscWithVpcd, wall: Wall) -> None:
    pcsc_with_vpcd.insert(BADGE)
    assert wall.taps.get(timeout=PATIENCE) == BADGE.uid
    wall.expect(CardPresented)
    pcsc_with_vpcd.kill_daemon()
    wall.expect(CardRemoved)
    wall.expect(ReaderDetached)
    pcsc_with_vpcd.start_daemon()
    wall.expect(ReaderAttached)
    time.sleep(1.5)
    assert wall.events.empty()
    assert wall.taps.empty()


def test_a_daemon_that_dies_within_a_tap_refuses_it_and_is_recovered_from(pcsc_with_vpcd: PcscWithVpcd) -> None:
    class Fatal(PkocPhone):
        """Its first answer never reaches the reader: the daemon dies while it thinks."""

        kills = 1

        def exchange(self, raw: bytes) -> bytes:
            if self.kills:
                self.kills -= 1
                pcsc_with_vpcd.kill_daemon()
            return super().exchange(raw)

    answers: Queue[Claim | Refusal] = Queue()
    events: Queue[ReaderEvent] = Queue()
    crashes: list[Exception] = []
    ladder = standard_ladder(sources=LadderSources(monotonic=ManualClock()))

    def on_card(_presented: CardPresented, card: Card) -> Reading:
        answer = ladder.identify(card)
        return Reading(None, lambda: answers.put(answer))

    watch = ReaderWatch(open_spec(READERS[0]), events.put, on_card, on_crash=crashes.append)
    watch.start()
    try:
        pcsc_with_vpcd.insert(Fatal(ec.generate_private_key(ec.SECP256R1())))
        refused = answers.get(timeout=PATIENCE)
        assert isinstance(refused, Refusal)
        assert refused.reason is RefusalReason.CARD_GONE
        while not isinstance(events.get(timeout=PATIENCE), ReaderDetached):
            pass
        pcsc_with_vpcd.start_daemon()
        assert isinstance(answers.get(timeout=PATIENCE), Claim)
    finally:
        watch.stop()
    assert crashes == []


def test_a_phone_that_bounces_under_another_uid_is_one_tap_and_a_second_later_another(
    pcsc_with_vpcd: PcscWithVpcd,
) -> None:
    taps: Queue[Claim] = Queue()
    events: Queue[ReaderEvent] = Queue()
    crashes: list[Exception] = []
    clock = ManualClock()
    ladder = standard_ladder(sources=LadderSources(monotonic=ManualClock()))
    read: list[Uid | None] = []

    def on_card(_presented: CardPresented, card: Card) -> Reading:
        claim = ladder.identify(card)
        assert isinstance(claim, Claim)
        read.append(claim.uid)
        return Reading((claim.kind, claim.subject), lambda: taps.put(claim))

    def presented(times: int) -> None:
        end = time.monotonic() + PATIENCE
        while len(read) < times:
            assert time.monotonic() < end
            time.sleep(0.01)

    phone = PkocPhone.generate()
    watch = ReaderWatch(
        open_spec(READERS[0]), events.put, on_card, on_crash=crashes.append, settle=1.0, monotonic=clock
    )
    watch.start()
    try:
        pcsc_with_vpcd.insert(phone)
        taps.get(timeout=PATIENCE)
        pcsc_with_vpcd.remove()
        while not isinstance(events.get(timeout=PATIENCE), CardRemoved):
            pass
        clock.advance(0.9)
        pcsc_with_vpcd.insert(phone)
        presented(2)
        assert len(set(read)) == 2, "it had another number the second time"
        pcsc_with_vpcd.clear()
        end = time.monotonic() + PATIENCE
        while watch._present:  # its removal is not told, for it was not told that it came
            assert time.monotonic() < end
            time.sleep(0.2)
        clock.advance(1.1)
        pcsc_with_vpcd.insert(phone)
        taps.get(timeout=PATIENCE)
        assert taps.empty()
        assert len(read) == 3
    finally:
        watch.stop()
    assert crashes == []


def test_stop_ends_the_thread_and_lets_the_context_go(pcsc_with_vpcd: PcscWithVpcd, wall: Wall) -> None:
    wall.watch.stop()
    wall.watch._thread.join(PATIENCE)
    assert not wall.watch._thread.is_alive()
    assert not wall.watch.alive
