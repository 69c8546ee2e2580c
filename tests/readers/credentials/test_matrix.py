"""Every scheme with every fault that fits it: a named refusal each time, never a claim, never a hang.

A good tap before and after shows that it was the fault, and that it leaves nothing behind.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from readers.credentials.claim import Claim, Refusal, RefusalReason
from readers.credentials.ladder import BUDGET, Ladder
from readers.reader import CardPresented, CardRemoved
from readers.registry import open_reader
from readers.simulated import SimulatedReader
from readers.virtual.card import VirtualCard
from readers.virtual.faults import AIR, Breakable, Fault, FaultyCard
from readers.virtual.iso_dep import IsoDepDevice
from tests.pcscd import PcscWithVpcd
from tests.readers.cards import ManualClock
from tests.readers.credentials.site import ROWS, Row, Site

Outcome = Claim | Refusal
Lay = Callable[[VirtualCard, int], None]
Lift = Callable[[int], None]
Ladders = dict[str, Ladder]
PATIENCE = 60.0
MOST_APDUS = 48
ROW = {str(row): row for row in ROWS}
SAMPLE = (
    ("phone", Fault.STALE_NONCE),
    ("phone", Fault.REPLAYED),
    ("DESFire EV2", Fault.WRONG_KEY),
    ("DESFire EV1", Fault.REPLAYED),
    ("NTAG 424", Fault.DROPPED),
    ("NTAG 424 SUN", Fault.REPLAYED),
    ("PIV P-256", Fault.RANDOM_LENGTHS),
    ("Mastercard", Fault.ENDLESS_61XX),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


class Simulated:
    """Taps on the simulated reader, by a clock that only slow cards move."""

    def __init__(self, site: Site, row: Row) -> None:
        self.clock = ManualClock()
        self.card = FaultyCard(row.make(site, self.clock.advance), sleep=self.clock.advance)
        self.ladder = site.ladder(self.clock, tags=row.kind)
        self.row = row

    def tap(self) -> Outcome:
        reader = SimulatedReader(monotonic=self.clock)
        reader.open()
        reader.insert(self.card)
        (presented,) = [event for event in reader.wait(0.0) if isinstance(event, CardPresented)]
        with reader.connect(presented) as connected:
            return self.ladder.identify(connected)

    def expect_a_claim(self) -> None:
        claim = self.tap()
        assert isinstance(claim, Claim), claim
        assert (claim.kind, claim.assurance) == (self.row.kind, self.row.assurance)


PAIRS = [(row, fault) for row in ROWS for fault in row.ends]


@pytest.mark.parametrize(("row", "fault"), PAIRS, ids=[f"{row} {fault.value}" for row, fault in PAIRS])
def test_a_fault_ends_in_a_named_refusal(site: Site, row: Row, fault: Fault) -> None:
    taps = Simulated(site, row)
    taps.expect_a_claim()
    taps.card.plant(fault)
    started = taps.clock()
    refusal = taps.tap()
    assert isinstance(refusal, Refusal)
    assert refusal.reason in row.ends[fault]
    assert refusal.sentence
    assert taps.clock() - started <= (3.0 if fault is Fault.SLOW else 0.0)
    taps.card.plant()
    taps.expect_a_claim()


def test_every_fault_there_is_has_a_row() -> None:
    unusual = {Fault.SWAPPED_ORDER, Fault.REFUSES_LE, Fault.COMPRESSED, Fault.NO_DIRECTORY, Fault.REFUSES_OPTIONS}
    tried = {fault for row in ROWS for fault in row.ends}
    assert tried == set(Fault) - unusual - {Fault.NONE, Fault.HIDES_VERSION_2}


def test_no_row_leaves_out_a_fault_that_its_card_knows(site: Site) -> None:
    exempt = {
        # What is static can be copied: an identifier that is said again is the same identifier.
        "iso14443": {Fault.REPLAYED, Fault.RANDOM_LENGTHS},
        "emv": {Fault.REPLAYED, Fault.NO_DIRECTORY, Fault.REFUSES_OPTIONS, Fault.MISSING_RECORD, Fault.NO_NUMBER},
        "pkoc": {Fault.SWAPPED_ORDER, Fault.REFUSES_LE},
        # Half of what it does then is to be another card, whose key nobody enrolled.
        "pkoc-v2": {Fault.HIDES_VERSION_2},
        # Without a certificate it is no PIV card.
        "piv": {Fault.COMPRESSED, Fault.NO_CERTIFICATE},
        # There is no handshake, and no frames; a garbled message is none.
        "ntag424-sun": {Fault.STALE_DATA, Fault.ENDLESS_FRAMES, Fault.RANDOM_LENGTHS},
    }
    for row in ROWS:
        card = row.make(site, time.sleep)
        known = (card.own_faults if isinstance(card, Breakable) else frozenset()) | AIR
        if not card.takes_apdus:
            known = frozenset((Fault.TWO_UIDS,))
        assert known - set(row.ends) - {Fault.NONE} <= exempt.get(row.kind, set()), row


@pytest.mark.parametrize("row", [row for row in ROWS if Fault.DROPPED in row.ends], ids=str)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [(Fault.DROPPED, RefusalReason.CARD_GONE), (Fault.ENDLESS_61XX, RefusalReason.MISBEHAVED)],
)
def test_at_whichever_apdu_it_strikes(site: Site, row: Row, fault: Fault, expected: RefusalReason) -> None:
    taps = Simulated(site, row)
    for number in range(1, MOST_APDUS):
        taps.card.plant(fault, at=number)
        outcome = taps.tap()
        if isinstance(outcome, Claim):
            break
        assert outcome.reason is expected, number
    assert number > 2
    assert isinstance(outcome, Claim)
    assert (outcome.kind, outcome.assurance) == (row.kind, row.assurance)


@pytest.mark.parametrize("row", [row for row in ROWS if Fault.SLOW in row.ends], ids=str)
@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.9, 1.6])
def test_a_card_that_is_a_little_slow_each_time_has_two_seconds_in_all(site: Site, row: Row, seconds: float) -> None:
    taps = Simulated(site, row)
    slow = FaultyCard(taps.card, sleep=lambda _: taps.clock.advance(seconds))
    slow.plant(Fault.SLOW, at=1)
    taps.card = slow
    started = taps.clock()
    outcome = taps.tap()
    spent = taps.clock() - started
    if isinstance(outcome, Claim):
        assert spent <= BUDGET
    else:
        assert outcome.reason is RefusalReason.TOO_SLOW
        assert spent <= BUDGET + seconds


def ladders(site: Site, clock: ManualClock) -> Ladders:
    """For each kind of card the site's ladder; the counters in it last as long as it does."""
    return {kind: site.ladder(clock, tags=kind) for kind in {row.kind for row in ROWS}}


class RealReader:
    """One card after another on a real reader stack; `lay` and `lift` say in which of its slots."""

    def __init__(self, ladders: Ladders, spec: str, slots: int, lay: Lay, lift: Lift) -> None:
        self._reader = open_reader(spec)
        self._lay, self._lift, self._slots = lay, lift, slots
        self._ladders = ladders
        self._lying: dict[int, int] = {}
        self._taps = 0

    def __enter__(self) -> "RealReader":
        self._reader.open()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._reader.close()

    def tap(self, row: Row, card: VirtualCard) -> Outcome:
        """Waits for the slot to be seen empty first: a daemon that looks twice a second would miss the change."""
        slot = self._taps % self._slots
        self._taps += 1
        end = time.monotonic() + PATIENCE
        while slot in self._lying and time.monotonic() < end:
            self._presented()
        self._lay(card, slot)
        while time.monotonic() < end:
            for event in self._presented():
                self._lying[slot] = event.presentation
                with self._reader.connect(event) as connected:
                    outcome = self._ladders[row.kind].identify(connected)
                self._lift(slot)
                return outcome
        pytest.fail(f"{row} was not seen")

    def _presented(self) -> list[CardPresented]:
        events = self._reader.wait(1.0)
        gone = {event.presentation for event in events if isinstance(event, CardRemoved)}
        self._lying = {slot: lies for slot, lies in self._lying.items() if lies not in gone}
        return [event for event in events if isinstance(event, CardPresented)]


class NfcpyReader:
    """A device for each card: one with the UID of the card before it would be taken for that one."""

    def __init__(self, ladders: Ladders) -> None:
        self._ladders = ladders

    def tap(self, row: Row, card: VirtualCard) -> Outcome:
        with (
            IsoDepDevice() as device,
            RealReader(self._ladders, device.spec, 1, lambda card, _: device.insert(card), lambda _: None) as reader,
        ):
            return reader.tap(row, card)


@pytest.fixture
def clock() -> ManualClock:
    """Only slow cards move it: how long a busy machine takes is not the cards' fault."""
    return ManualClock()


@pytest.fixture(params=["pcscd", "nfcpy"])
def real(request: pytest.FixtureRequest, site: Site, clock: ManualClock) -> Iterator[RealReader | NfcpyReader]:
    if request.param == "nfcpy":
        yield NfcpyReader(ladders(site, clock))
        return
    pcscd: PcscWithVpcd = request.getfixturevalue("pcsc_with_vpcd")
    with RealReader(ladders(site, clock), pcscd.both_slots, 2, pcscd.insert, pcscd.remove) as reader:
        yield reader


def test_every_card_is_recognised_through_real_readers(real: RealReader | NfcpyReader, site: Site) -> None:
    seen = {}
    for row in ROWS:
        outcome = real.tap(row, row.make(site, time.sleep))
        seen[str(row)] = (outcome.kind, outcome.assurance) if isinstance(outcome, Claim) else outcome
    assert seen == {str(row): (row.kind, row.assurance) for row in ROWS}


def test_faults_are_refused_through_real_readers(real: RealReader | NfcpyReader, site: Site) -> None:
    seen = {}
    for name, fault in SAMPLE:
        card = FaultyCard(ROW[name].make(site, time.sleep))
        if fault in (Fault.STALE_NONCE, Fault.REPLAYED):
            assert isinstance(real.tap(ROW[name], card), Claim)
        card.plant(fault)
        outcome = real.tap(ROW[name], card)
        seen[name, fault] = outcome.reason if isinstance(outcome, Refusal) else outcome
    assert [pair for pair in SAMPLE if seen[pair] not in ROW[pair[0]].ends[pair[1]]] == []


def test_a_slow_card_is_refused_in_time_through_real_readers(
    real: RealReader | NfcpyReader, site: Site, clock: ManualClock
) -> None:
    def dawdle(_: float) -> None:
        time.sleep(1.7)
        clock.advance(1.7)

    card = FaultyCard(ROW["phone"].make(site, dawdle))
    card.plant(Fault.SLOW)
    outcome = real.tap(ROW["phone"], card)
    assert isinstance(outcome, Refusal)
    assert outcome.reason in (RefusalReason.TOO_SLOW, RefusalReason.CARD_GONE, RefusalReason.MISBEHAVED)


def test_two_uids_in_one_presentation_are_seen_through_pcscd(pcsc_with_vpcd: PcscWithVpcd, site: Site) -> None:
    with RealReader(
        ladders(site, ManualClock()), pcsc_with_vpcd.both_slots, 2, pcsc_with_vpcd.insert, pcsc_with_vpcd.remove
    ) as reader:
        for name in ("badge", "phone"):
            outcome = reader.tap(ROW[name], FaultyCard(ROW[name].make(site, time.sleep), Fault.TWO_UIDS))
            assert isinstance(outcome, Refusal)
            assert outcome.reason is RefusalReason.TWO_CARDS
