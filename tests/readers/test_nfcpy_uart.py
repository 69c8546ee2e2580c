"""nfcpy's real PN532 driver on a serial line, with a virtual chip at the other end and everything that lines do."""

import errno
import os
import pty
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from readers.apdu import Command
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.ladder import Ladder
from readers.credentials.standard import LadderSources, standard_ladder
from readers.errors import CardGone, ReaderUnavailable
from readers.nfcpy_reader import NfcpyReader, NfcpyUnavailable
from readers.nfcpy_uart import Uart
from readers.reader import (
    Card,
    CardPresented,
    CardRemoved,
    Reader,
    ReaderAttached,
    ReaderDetached,
    ReaderEvent,
)
from readers.registry import open_reader
from readers.uid import Uid
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.pn532_uart import LineFault, Pn532Uart
from readers.virtual.uid_card import UidCard
from readers.watch import ReaderWatch, Reading
from tests.readers.cards import EchoCard, ManualClock

PATIENCE = 60.0
AT_ONCE = 0.3
"""What a look may take to end when it is cancelled."""
HANGS = 100
BADGE = UidCard(Uid.from_hex("04A1B2C3D4E580"))


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[Pn532Uart]:
    with Pn532Uart(tmp_path) as running:
        yield running


@contextmanager
def opened(chip: Pn532Uart) -> Iterator[NfcpyReader]:
    reader = open_reader(chip.spec)
    assert isinstance(reader, NfcpyReader)
    reader.open()
    try:
        yield reader
    finally:
        reader.close()


@pytest.fixture
def reader(chip: Pn532Uart) -> Iterator[NfcpyReader]:
    with opened(chip) as made:
        yield made


def until(reader: Reader, kind: type[ReaderEvent]) -> ReaderEvent:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for event in reader.wait(1.0):
            if isinstance(event, kind):
                return event
    pytest.fail(f"no {kind.__name__}")


def presented_to(reader: Reader) -> CardPresented:
    event = until(reader, CardPresented)
    assert isinstance(event, CardPresented)
    return event


def patient_ladder() -> Ladder:
    """No time passes by its clock."""
    return standard_ladder(sources=LadderSources(monotonic=ManualClock()))


class Wall:
    """A watched reader and what came of it."""

    def __init__(self, reader: Reader) -> None:
        self.events: Queue[ReaderEvent] = Queue()
        self.answers: Queue[Claim | Refusal] = Queue()
        self.crashes: list[Exception] = []
        self._ladder = patient_ladder()
        self.watch = ReaderWatch(reader, self.events.put, self._on_card, on_crash=self.crashes.append, settle=0.2)

    def _on_card(self, _presented: CardPresented, card: Card) -> Reading:
        answer = self._ladder.identify(card)
        key = (answer.kind, answer.subject) if isinstance(answer, Claim) else (answer.scheme, answer.uid)
        return Reading(key, lambda: self.answers.put(answer))

    def expect(self, kind: type[ReaderEvent]) -> ReaderEvent:
        """The next event of that kind, past others."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                event = self.events.get(timeout=1.0)
            except Empty:
                continue
            if isinstance(event, kind):
                return event
        pytest.fail(f"no {kind.__name__}")


@pytest.fixture
def wall(chip: Pn532Uart) -> Iterator[Wall]:
    wall = Wall(open_reader(chip.spec))
    wall.watch.start()
    wall.expect(ReaderAttached)
    yield wall
    wall.watch.stop()
    assert wall.crashes == []


@pytest.mark.parametrize("digits", ["DEADBEEF", "04A1B2C3D4E580", "04A1B2C3D4E580112233"])
@pytest.mark.parametrize("takes_apdus", [True, False])
def test_a_badge_is_recognised_on_a_serial_pn532(
    chip: Pn532Uart, reader: NfcpyReader, digits: str, takes_apdus: bool
) -> None:
    badge = UidCard(Uid.from_hex(digits), takes_apdus=takes_apdus)
    chip.insert(badge)
    presented = presented_to(reader)
    assert presented.atr == badge.atr
    with reader.connect(presented) as card:
        claim = patient_ladder().identify(card)
    assert claim == Claim("iso14443", bytes.fromhex(digits), Uid.from_hex(digits), Assurance.IDENTIFIER)
    assert reader.wait(0.4) == [], "a badge that lies there is not tapped again"
    chip.remove()
    assert until(reader, CardRemoved) == CardRemoved(presented.reader, presented.presentation)


def test_a_phone_is_authenticated_on_a_serial_pn532_under_another_uid_each_time(
    chip: Pn532Uart, reader: NfcpyReader
) -> None:
    phone = PkocPhone.generate()
    claims = []
    for _ in range(2):
        chip.insert(phone)
        with reader.connect(presented_to(reader)) as card:
            claims.append(patient_ladder().identify(card))
        assert reader.wait(0.4) == []
        chip.remove()
        until(reader, CardRemoved)
    assert [claim.assurance for claim in claims if isinstance(claim, Claim)] == [Assurance.AUTHENTICATED] * 2
    assert {claim.subject for claim in claims if isinstance(claim, Claim)} == {phone.public_key}
    assert claims[0].uid != claims[1].uid


def test_long_commands_and_answers_pass_in_extended_frames(chip: Pn532Uart, reader: NfcpyReader) -> None:
    echo = EchoCard(lambda raw: raw + bytes(700) + b"\x90\x00")
    chip.insert(echo)
    with reader.connect(presented_to(reader)) as card:
        for size in (1, 200, 255, 600):
            command = Command(0x00, 0xC2, 0x00, 0x00, bytes((size & 0xFF,)) * size, 0)
            assert card.transmit(command).expect("ENVELOPE") == bytes(command) + bytes(700)
    assert len(echo.commands) == 4


def test_a_phone_that_leaves_in_the_middle_is_gone(chip: Pn532Uart, reader: NfcpyReader) -> None:
    chip.insert(EchoCard(lambda raw: b""))
    with reader.connect(presented_to(reader)) as card, pytest.raises(CardGone):
        card.transmit(Command(0x00, 0xA4, 0x04, 0x00))
    until(reader, CardRemoved)


def test_the_chip_is_put_to_sleep_and_woken_again(chip: Pn532Uart) -> None:
    for _ in range(3):
        with opened(chip):
            assert not chip.chip.is_asleep
        assert chip.chip.is_asleep


@pytest.mark.parametrize("speed", [921_600, pytest.param(230_400, marks=pytest.mark.long)])
def test_a_chip_that_a_killed_program_left_at_another_speed_is_called_back(chip: Pn532Uart, speed: int) -> None:
    chip.chip.speed = chip.chip.next_speed = speed
    chip.chip.is_asleep = False
    with opened(chip) as reader:
        chip.insert(BADGE)
        presented_to(reader)
    assert chip.chip.speed == 115_200


@pytest.mark.parametrize("fault", [LineFault.SLOW, LineFault.ACK_LOST, LineFault.NOISE])
def test_slow_bytes_lost_acknowledgements_and_noise_cost_no_tap(
    chip: Pn532Uart, reader: NfcpyReader, fault: LineFault
) -> None:
    chip.plant(fault, 6)
    chip.insert(UidCard(BADGE.uid, takes_apdus=True))
    with reader.connect(presented_to(reader)) as card:
        assert isinstance(patient_ladder().identify(card), Claim)
    assert not chip.suffers(fault)


@pytest.mark.parametrize("fault", [LineFault.ANSWER_LOST, LineFault.CORRUPT, LineFault.MUTE, LineFault.SYNTAX_ERROR])
def test_lost_and_broken_answers_are_an_outage_that_ends(chip: Pn532Uart, wall: Wall, fault: LineFault) -> None:
    chip.plant(fault)
    detached = wall.expect(ReaderDetached)
    assert isinstance(detached, ReaderDetached)
    assert detached.reason in {
        "The NFC reader does not answer. Check its cable.",
        "The NFC reader's answers make no sense. Check its cable.",
        "The NFC reader's chip reports an error.",
    }
    wall.expect(ReaderAttached)
    chip.insert(BADGE)
    answer = wall.answers.get(timeout=PATIENCE)
    assert isinstance(answer, Claim)


class Breaking(PkocPhone):
    """A phone during whose first answer the line has a fault."""

    def __init__(self, chip: Pn532Uart, fault: LineFault) -> None:
        super().__init__(ec.generate_private_key(ec.SECP256R1()))
        self._chip = chip
        self._faults = [fault]

    def exchange(self, raw: bytes) -> bytes:
        if self._faults:
            self._chip.plant(self._faults.pop())
        return super().exchange(raw)


def test_an_answer_that_is_lost_within_a_tap_is_asked_for_again(chip: Pn532Uart, wall: Wall) -> None:
    chip.insert(Breaking(chip, LineFault.ANSWER_LOST))
    assert isinstance(wall.answers.get(timeout=PATIENCE), Claim)


def test_a_line_that_breaks_within_a_tap_refuses_the_tap_and_nothing_more(chip: Pn532Uart, wall: Wall) -> None:
    phone = Breaking(chip, LineFault.CORRUPT)
    chip.insert(phone)
    refused = wall.answers.get(timeout=PATIENCE)
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.CARD_GONE
    chip.remove()
    wall.expect(CardRemoved)
    time.sleep(0.3)
    chip.insert(phone)
    assert isinstance(wall.answers.get(timeout=PATIENCE), Claim)


def test_a_chip_that_is_unplugged_is_named_and_found_again(chip: Pn532Uart, wall: Wall) -> None:
    for _ in range(2):
        chip.stop()
        detached = wall.expect(ReaderDetached)
        assert isinstance(detached, ReaderDetached)
        assert detached.reason == "The NFC reader is not plugged in."
        chip.replug()
        wall.expect(ReaderAttached)
    chip.insert(BADGE)
    assert isinstance(wall.answers.get(timeout=PATIENCE), Claim)


def test_a_phone_that_rests_while_the_chip_is_unplugged_is_tapped_once(chip: Pn532Uart, wall: Wall) -> None:
    chip.insert(PkocPhone.generate())
    assert isinstance(wall.answers.get(timeout=PATIENCE), Claim)
    chip.stop()
    wall.expect(ReaderDetached)
    chip.replug()
    wall.expect(ReaderAttached)
    with pytest.raises(Empty):
        wall.answers.get(timeout=1.0)


def test_unplugging_within_a_tap_leaves_no_descriptor_behind(chip: Pn532Uart, wall: Wall) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        chip.stop()
        wall.expect(ReaderDetached)
        chip.replug()
        wall.expect(ReaderAttached)
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_cancel_does_not_wait_for_a_look_that_hangs(chip: Pn532Uart, reader: NfcpyReader) -> None:
    reader.wait(0)
    took = []
    for _ in range(3):
        chip.plant(LineFault.SENSE_HANGS, HANGS)
        waiter = threading.Thread(target=reader.wait, args=(60.0,), daemon=True)
        waiter.start()
        while chip.suffers(LineFault.SENSE_HANGS) and chip._faults[LineFault.SENSE_HANGS] == HANGS:
            time.sleep(0.005)
        started = time.monotonic()
        reader.cancel()
        waiter.join(PATIENCE)
        took.append(time.monotonic() - started)
        assert not waiter.is_alive()
        chip.plant(LineFault.SENSE_HANGS, 0)
    assert min(took) < AT_ONCE, "the chip would have hung for a second, and the driver given up after that"
    chip.insert(BADGE)
    assert presented_to(reader).atr == BADGE.atr


def test_cancel_within_a_sign_of_life_is_no_removal(chip: Pn532Uart, reader: NfcpyReader) -> None:
    chip.insert(PkocPhone.generate())
    presented = presented_to(reader)
    for _ in range(20):
        seen: list[ReaderEvent] = []
        waiter = threading.Thread(target=lambda seen=seen: seen.extend(reader.wait(60.0)), daemon=True)
        waiter.start()
        time.sleep(0.01)
        reader.cancel()
        waiter.join(PATIENCE)
        assert not waiter.is_alive()
        assert [event for event in seen if not isinstance(event, CardPresented)] == []
    assert presented.presentation == 1


def test_a_watch_of_a_hanging_chip_stops(chip: Pn532Uart, wall: Wall) -> None:
    chip.plant(LineFault.SENSE_HANGS, HANGS)
    wall.watch.stop()
    wall.watch._thread.join(PATIENCE)
    assert not wall.watch._thread.is_alive()


def test_a_port_that_another_program_holds_is_busy(chip: Pn532Uart, reader: NfcpyReader) -> None:
    with pytest.raises(NfcpyUnavailable, match="in use by another program") as caught:
        open_reader(chip.spec).open()
    assert caught.value.number == errno.EBUSY
    chip.insert(BADGE)
    assert presented_to(reader)


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "may not use .* serial port"), (errno.ENXIO, "lost"), (errno.EIO, "cable")]
)
def test_a_port_that_cannot_be_opened_says_why(
    chip: Pn532Uart, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(self: Uart) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Uart, "open", refuse)
    with pytest.raises(NfcpyUnavailable, match=words):
        open_reader(chip.spec).open()


def test_a_port_that_is_not_there_or_no_terminal_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(NfcpyUnavailable, match="not plugged in"):
        open_reader(f"nfcpy:tty:{tmp_path}/none:pn532").open()
    (tmp_path / "file").touch()
    with pytest.raises(NfcpyUnavailable, match="lost"):
        open_reader(f"nfcpy:tty:{tmp_path}/file:pn532").open()


def test_a_silent_line_is_named_with_what_to_check() -> None:
    line, other = pty.openpty()
    try:
        with pytest.raises(ReaderUnavailable, match=r"No PN532 answers on .* HSU"):
            open_reader(f"nfcpy:tty:{os.ttyname(other)}:pn532").open()
    finally:
        os.close(line)
        os.close(other)
