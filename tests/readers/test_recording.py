"""A recording holds what reproduces a tap, and nothing that opens a door, pays, or names a person."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from readers.apdu import Command
from readers.credentials.claim import Claim, Refusal, RefusalReason
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import Ladder
from readers.credentials.pkoc import PkocScheme
from readers.errors import CardGone, ReaderError, ReaderSpecError, ReaderUnavailable, TransmitFailed
from readers.feedback import Signal, show
from readers.reader import CardPresented, CardRemoved, ReaderAttached, ReaderEvent
from readers.recording import Recording, RecordingCard, RecordingReader
from readers.registry import open_reader
from readers.simulated import SimulatedReader
from readers.virtual.card import VirtualCard
from readers.virtual.faults import Fault, FaultyCard
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.recorded_card import Replay
from readers.virtual.uid_card import UidCard
from tests.pcscd import PcscWithVpcd
from tests.readers.cards import FIXED_UID, EchoCard, ManualClock, RecordedNonces, ScriptedCard
from tests.readers.credentials.aes_cards import IDENTITY, UID
from tests.readers.credentials.site import ROWS, Row, Site
from tests.readers.credentials.test_emv import NUMBER, REFERENCE
from tests.readers.test_feedback import ACR1252, ACR1252_BYTES, EscapeCard

ROW = {str(row): row for row in ROWS}
HEAD = '{"recording": 1}\n'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


class Wall:
    """A simulated reader that is recorded, and a ladder."""

    def __init__(self, ladder: Ladder, file: Path, clock: ManualClock) -> None:
        self.clock = clock
        self.reader = SimulatedReader(monotonic=clock)
        self.recording = Recording(file, clock)
        self.recorded = RecordingReader(self.reader, self.recording)
        self._ladder = ladder

    def tap(self, card: VirtualCard) -> Claim | Refusal:
        self.reader.insert(card)
        outcome = identify(self.recorded, self._ladder, self.recorded.wait(0.0))
        self.clock.advance(0.5)
        self.reader.remove()
        self.recorded.wait(0.0)
        self.clock.advance(1.0)
        return outcome


def identify(reader: Any, ladder: Ladder, events: Any) -> Claim | Refusal:
    (presented,) = [event for event in events if isinstance(event, CardPresented)]
    with reader.connect(presented) as card:
        return ladder.identify(card)


@contextmanager
def wall(ladder: Ladder, file: Path, clock: ManualClock) -> Iterator[Wall]:
    made = Wall(ladder, file, clock)
    with made.recording:
        made.recorded.open()
        yield made
        made.recorded.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def replayed(file: Path, ladder: Ladder, clock: ManualClock) -> list[Claim | Refusal]:
    """What the ladder makes of each presentation of a recording."""
    replay = Replay.load(file)
    reader = SimulatedReader(monotonic=clock, timetable=replay.timetable())
    reader.open()
    outcomes, end = [], clock() + 60.0
    while clock() < end:
        for event in reader.wait(0.0):
            if isinstance(event, CardPresented):
                outcomes.append(identify(reader, ladder, [event]))
        clock.advance(0.1)
    return outcomes


def test_a_session_is_written_as_it_happens(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "taps"
    with wall(Ladder([PkocScheme(RecordedNonces(), clock), UidScheme()], clock), file, clock) as there:
        clock.advance(1.25)
        there.tap(UidCard(FIXED_UID, takes_apdus=True))
        so_far = lines(file)
    assert (
        so_far
        == lines(file)
        == [
            {"recording": 1},
            {"at": 1.25, "event": "attached", "reader": "Simulated reader"},
            {"at": 1.25, "event": "presented", "reader": "Simulated reader", "presentation": 1, "atr": "3B8180018080"},
            {"at": 1.25, "event": "connected", "presentation": 1, "uid": FIXED_UID.hex(), "apdus": True},
            {
                "at": 1.25,
                "event": "exchange",
                "presentation": 1,
                "command": {"header": "00A40400", "le": 0, "size": 8, "data": "A000000898000001"},
                "response": {"status": "6A82", "size": 0, "data": ""},
            },
            {"at": 1.75, "event": "removed", "reader": "Simulated reader", "presentation": 1},
        ]
    )


def test_the_file_is_its_owner_s_alone_and_nothing_is_overwritten_or_followed(tmp_path: Path) -> None:
    file = tmp_path / "taps"
    before = os.umask(0)
    try:
        with Recording(file):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        os.umask(before)
    with pytest.raises(ReaderSpecError, match="overwrites nothing"):
        Recording(file).open()
    assert file.read_text() == HEAD
    for name, target in (("link", tmp_path / "not there"), ("other", file)):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(ReaderSpecError, match="overwrites nothing"):
            Recording(tmp_path / name).open()
    assert not (tmp_path / "not there").exists()
    with pytest.raises(ReaderSpecError, match="cannot be made"):
        Recording(tmp_path / "no folder" / "taps").open()


def test_a_recording_that_takes_no_more_ends_the_exchange(tmp_path: Path, clock: ManualClock) -> None:
    with wall(Ladder([UidScheme()], clock), tmp_path / "taps", clock) as there:
        there.reader.insert(EchoCard())
        (presented,) = [event for event in there.recorded.wait(0.0) if isinstance(event, CardPresented)]
        with there.recorded.connect(presented) as card:
            there.recording.close()
            with pytest.raises(ReaderUnavailable, match="closed"):
                card.transmit(Command(0x00, 0xA4, 0x04, 0x00))
    with Recording(tmp_path / "second") as recording:
        broken = os.open("/dev/full", os.O_WRONLY)
        recording._file, whole = broken, recording._file
        assert whole is not None
        os.close(whole)
        with pytest.raises(ReaderUnavailable, match="No space left"):
            recording.write("attached", {})


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_recorded_card_is_recognised_as_ever_and_no_secret_of_it_is_in_the_file(
    tmp_path: Path, clock: ManualClock, site: Site, row: Row
) -> None:
    file, ladder = tmp_path / "taps", site.ladder(clock, tags=row.kind)
    with wall(ladder, file, clock) as there:
        claim = there.tap(row.make(site, clock.advance))
    assert isinstance(claim, Claim)
    assert claim.kind == row.kind
    written = file.read_text().upper()
    for secret in (NUMBER, REFERENCE.encode().hex().upper(), IDENTITY.hex().upper(), NUMBER.encode().hex()):
        assert secret not in written
    if row.name == "hidden DESFire":
        assert UID.hex() not in written
    for line in lines(file):
        if line.get("event") == "exchange" and not is_public(row, line["command"]["header"]):
            assert line["response"].get("data", "") == ""
            assert ("data" in line["response"]) is (line["response"]["size"] == 0)


def is_public(row: Row, header: str) -> bool:
    return header.startswith(("00A404", "905A")) or (row.kind == "pkoc" and header == "80800001")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_replay_is_never_more_than_an_identifier(tmp_path: Path, clock: ManualClock, site: Site, row: Row) -> None:
    """What proved something is refused by its own scheme, and only what anybody can copy is what it was."""
    file, ladder = tmp_path / "taps", site.ladder(clock, tags=row.kind)
    with wall(ladder, file, clock) as there:
        claim = there.tap(row.make(site, clock.advance))
    (outcome,) = replayed(file, ladder, clock)
    if row.kind == "iso14443":
        assert outcome == claim
        return
    assert isinstance(outcome, Refusal)
    assert outcome.scheme == row.kind.removesuffix("-v2")
    expected = RefusalReason.PROOF_FAILED if row.name == "phone" else RefusalReason.MISBEHAVED
    assert outcome.reason is expected


def test_a_recorded_signature_is_refused_though_it_is_whole(tmp_path: Path, clock: ManualClock) -> None:
    file, nonces = tmp_path / "taps", RecordedNonces()
    ladder, phone = Ladder([PkocScheme(nonces, clock), UidScheme()], clock), PkocPhone.generate()
    with wall(ladder, file, clock) as there:
        claim = there.tap(phone)
    assert isinstance(claim, Claim)
    assert claim.proof is not None
    assert phone.public_key.hex().upper() in file.read_text()
    assert claim.proof.signature.hex().upper() in file.read_text()
    (refusal,) = replayed(file, ladder, clock)
    assert isinstance(refusal, Refusal)
    assert (refusal.scheme, refusal.reason) == ("pkoc", RefusalReason.PROOF_FAILED)
    # The very challenge of that day would be answered: it is the fresh one that refuses it.
    (again,) = replayed(file, Ladder([PkocScheme(RecordedNonces(), clock)], clock), clock)
    assert isinstance(again, Claim)


def test_a_replay_shows_every_presentation_at_its_time_with_its_uid_and_type(
    tmp_path: Path, clock: ManualClock
) -> None:
    file = tmp_path / "taps"
    with wall(Ladder([UidScheme()], clock), file, clock) as there:
        there.tap(UidCard(FIXED_UID))
        there.tap(PkocPhone.generate())
        seen = [(each.uid, each.atr, each.takes_apdus) for each in Replay.load(file).presentations]
    reader = open_reader(f"simulated:replay={file}")
    assert reader.spec == f"simulated:replay={file}"
    replay = Replay.load(file)
    assert [(each.uid, each.atr, each.takes_apdus) for each in replay.presentations] == seen
    assert [each.takes_apdus for each in replay.presentations] == [False, True]
    assert [(each.at, each.seconds) for each in replay.timetable()] == [(0.0, 0.5), (1.5, 0.5)]
    assert replay.name == "Simulated reader"


def test_a_card_that_left_leaves_again_and_one_without_a_uid_has_none(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "taps"
    ladder = Ladder([PkocScheme(RecordedNonces(), clock), UidScheme()], clock)
    with wall(ladder, file, clock) as there:
        refusal = there.tap(FaultyCard(PkocPhone.generate(), Fault.DROPPED))
    assert isinstance(refusal, Refusal)
    assert lines(file)[-2]["error"] == "CardGone"
    (again,) = replayed(file, ladder, clock)
    assert isinstance(again, Refusal)
    assert (again.scheme, again.reason) == (refusal.scheme, RefusalReason.CARD_GONE)
    written = file.read_text()
    uid = next(line["uid"] for line in lines(file) if line.get("event") == "connected")
    (tmp_path / "bare").write_text(written.replace(f'"{uid}"', "null").replace('"apdus": true', '"apdus": false'))
    (bare,) = replayed(tmp_path / "bare", Ladder([UidScheme()], clock), clock)
    assert isinstance(bare, Refusal)
    assert bare.reason is RefusalReason.NO_UID


def test_what_a_card_was_never_asked_it_does_not_know(tmp_path: Path, clock: ManualClock, site: Site) -> None:
    file = tmp_path / "taps"
    with wall(Ladder([PkocScheme(RecordedNonces(), clock), UidScheme()], clock), file, clock) as there:
        there.tap(UidCard(FIXED_UID, takes_apdus=True))
    (outcome,) = replayed(file, site.ladder(clock), clock)
    assert isinstance(outcome, Claim)
    assert outcome.kind == "iso14443"


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"recording": 2}\n',
        "[]\n",
        HEAD + "{}\n",
        HEAD + '{"at": 0, "event": "nonsense"}\n',
        HEAD + '{"at": -1, "event": "unavailable"}\n',
        HEAD + '{"at": NaN, "event": "unavailable"}\n',
        HEAD + '{"at": 0, "event": "presented", "presentation": 1, "atr": "zz"}\n',
        HEAD + '{"at": 0, "event": "connected", "presentation": 1, "uid": null, "apdus": true}\n',
        HEAD + "[" * 100_000 + "\n",
        HEAD + "\xff\n",
    ],
)
def test_a_file_that_is_no_recording_is_refused_by_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "taps").write_bytes(text.encode("latin-1"))
    with pytest.raises(ReaderSpecError, match="taps: "):
        Replay.load(tmp_path / "taps")
    with pytest.raises(ReaderSpecError, match="cannot be read"):
        open_reader(f"simulated:replay={tmp_path / 'nothing'}")


def test_an_outage_of_the_reader_ends_what_lay_there(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "taps"
    with wall(Ladder([UidScheme()], clock), file, clock) as there:
        there.reader.insert(UidCard(FIXED_UID))
        there.recorded.wait(0.0)
        clock.advance(2.0)
        there.reader.unplug()
        with pytest.raises(ReaderUnavailable):
            there.recorded.wait(0.0)
        there.reader.plug()
        there.recorded.open()
        there.recorded.wait(0.0)
    first, second = Replay.load(file).presentations
    assert (first.at, first.until, second.until) == (0.0, 2.0, None)


def test_a_session_with_a_real_reader_is_recorded(tmp_path: Path, pcsc_with_vpcd: PcscWithVpcd, site: Site) -> None:
    file = tmp_path / "taps"
    with Recording(file) as recording:
        reader = RecordingReader(open_reader(pcsc_with_vpcd.spec), recording)
        reader.open()
        pcsc_with_vpcd.insert(ROW["Mastercard"].make(site, lambda _: None))
        told: list[ReaderEvent] = []
        while not any(isinstance(event, CardPresented) for event in told):
            told += reader.wait(30.0)
        outcome = identify(reader, site.ladder(), told)
        assert isinstance(outcome, Claim)
        pcsc_with_vpcd.remove()
        while not any(isinstance(event, CardRemoved) for event in told):
            told += reader.wait(30.0)
        two = FaultyCard(UidCard(FIXED_UID), Fault.TWO_UIDS)
        pcsc_with_vpcd.insert(two)
        told = []
        while not any(isinstance(event, CardPresented) for event in told):
            told += reader.wait(30.0)
        refusal = identify(reader, site.ladder(), told)
        assert isinstance(refusal, Refusal)
        assert refusal.reason is RefusalReason.TWO_CARDS
        reader.close()
    assert NUMBER not in file.read_text()
    events = [line.get("event") for line in lines(file)]
    assert events[:4] == [None, "attached", "presented", "connected"]
    assert events.count("exchange") > 8
    assert len(Replay.load(file).presentations) == 2


def test_a_replayed_card_that_broke_breaks_again(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "taps"
    with wall(Ladder([UidScheme()], clock), file, clock) as there:
        there.reader.insert(EchoCard(lambda _raw: b"\x90"))
        (presented,) = [event for event in there.recorded.wait(0.0) if isinstance(event, CardPresented)]
        with there.recorded.connect(presented) as card, pytest.raises(ReaderError):
            card.transmit(Command(0x00, 0x84, 0x00, 0x00, le=8))
    assert lines(file)[-1]["error"] == "TransmitFailed"
    reader = SimulatedReader(monotonic=clock, timetable=Replay.load(file).timetable())
    reader.open()
    attached, again = reader.wait(0.0)
    assert isinstance(attached, ReaderAttached)
    assert isinstance(again, CardPresented)
    with reader.connect(again) as card:
        with pytest.raises(ReaderError, match="broke"):
            card.transmit(Command(0x00, 0x84, 0x00, 0x00, le=8))
        assert card.transmit(Command(0x00, 0x84, 0x00, 0x00, le=8)).status_word == 0x6D00
    reader.remove()
    assert [type(event) for event in reader.wait(0.0)] == [CardRemoved]
    with pytest.raises(CardGone), reader.connect(again):
        pytest.fail("entered")


@pytest.mark.parametrize("signal", list(Signal))
def test_a_readers_lights_answer_while_it_is_recorded(tmp_path: Path, signal: Signal) -> None:
    card = EscapeCard()
    with Recording(tmp_path / "session") as recording:
        show(signal, ACR1252, RecordingCard(card, recording, 1))
    assert card.escaped == ACR1252_BYTES[signal]
    assert "exchange" not in (tmp_path / "session").read_text(), "the reader was spoken to, and no card"


def test_a_card_without_a_way_to_its_reader_has_none_while_it_is_recorded(tmp_path: Path) -> None:
    with Recording(tmp_path / "session") as recording, pytest.raises(TransmitFailed):
        RecordingCard(ScriptedCard([]), recording, 1).escape(b"")
