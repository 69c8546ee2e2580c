"""The PC/SC backend against a real pcscd with vsmartcard's driver."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from readers.apdu import Command, Response
from readers.errors import CardGone, ReaderUnavailable, TransmitFailed
from readers.pcsc import Pyscard, open_spec
from readers.pcsc_hold import held
from readers.pcsc_reader import PcscReader
from readers.reader import CardPresented, CardRemoved, ReaderAttached, ReaderEvent
from readers.uid import Uid
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard
from tests.pcscd import READERS, PcscWithVpcd
from tests.readers.cards import EchoCard

BADGE = UidCard(Uid.from_hex("04A1B2C3D4E580"))
SEEN_WITHIN = 60.0


@contextmanager
def opened(spec: str) -> Iterator[PcscReader]:
    reader = open_spec(spec.partition(":")[2])
    reader.open()
    with closing(reader):
        yield reader


def until(reader: PcscReader, *wanted: type[ReaderEvent]) -> list[ReaderEvent]:
    """Events up to and including the first of each wanted type."""
    events: list[ReaderEvent] = []
    end = time.monotonic() + SEEN_WITHIN
    while any(not any(isinstance(event, kind) for event in events) for kind in wanted):
        assert time.monotonic() < end, f"only {events}"
        events += reader.wait(0.5)
    return events


def presented_to(reader: PcscReader) -> CardPresented:
    return next(event for event in until(reader, CardPresented) if isinstance(event, CardPresented))


@pytest.mark.parametrize("uid", ["DEADBEEF", "04A1B2C3D4E580", "04A1B2C3D4E5808182A3"])
def test_a_card_is_seen_with_its_uid_and_seen_leaving(pcsc_with_vpcd: PcscWithVpcd, uid: str) -> None:
    with opened(pcsc_with_vpcd.spec) as reader:
        assert [type(event) for event in reader.wait(0)] == [ReaderAttached]
        pcsc_with_vpcd.insert(UidCard(Uid.from_hex(uid)))
        presented = presented_to(reader)
        with reader.connect(presented) as card:
            assert card.uid == Uid.from_hex(uid)
            assert card.atr == presented.atr == UidCard(Uid.from_hex(uid)).atr
            assert not card.takes_apdus
        pcsc_with_vpcd.remove()
        assert until(reader, CardRemoved) == [CardRemoved(presented.reader, presented.presentation)]


def test_a_card_that_lies_there_already_is_reported_by_the_first_wait(pcsc_with_vpcd: PcscWithVpcd) -> None:
    with opened(pcsc_with_vpcd.spec) as reader:
        pcsc_with_vpcd.insert(BADGE)
        presented_to(reader)
        with opened(pcsc_with_vpcd.spec) as late:
            assert [type(event) for event in late.wait(0)] == [ReaderAttached, CardPresented]


def test_a_resting_card_is_reported_once(pcsc_with_vpcd: PcscWithVpcd) -> None:
    with opened(pcsc_with_vpcd.spec) as reader:
        pcsc_with_vpcd.insert(BADGE)
        presented = presented_to(reader)
        with reader.connect(presented) as card:
            assert card.uid == BADGE.uid
        assert reader.wait(1.2) == []


def test_a_tap_between_two_waits_is_noticed(pcsc_with_vpcd: PcscWithVpcd) -> None:
    with opened(pcsc_with_vpcd.spec) as other, opened(pcsc_with_vpcd.spec) as reader:
        reader.wait(0)
        pcsc_with_vpcd.insert(BADGE)
        presented_to(other)
        pcsc_with_vpcd.remove()
        until(other, CardRemoved)
        came, left = reader.wait(1)
        assert isinstance(came, CardPresented)
        assert left == CardRemoved(came.reader, came.presentation)
        with pytest.raises(CardGone), reader.connect(came):
            pass


def test_a_card_swapped_between_two_waits_is_another_presentation(pcsc_with_vpcd: PcscWithVpcd) -> None:
    with opened(pcsc_with_vpcd.spec) as other, opened(pcsc_with_vpcd.spec) as reader:
        pcsc_with_vpcd.insert(BADGE)
        first = presented_to(reader)
        presented_to(other)
        pcsc_with_vpcd.remove()
        until(other, CardRemoved)
        pcsc_with_vpcd.insert(UidCard(Uid.from_hex("DEADBEEF")))
        presented_to(other)
        with pytest.raises(CardGone), reader.connect(first):
            pass
        left, came = reader.wait(1)
        assert left == CardRemoved(first.reader, first.presentation)
        assert isinstance(came, CardPresented)
        assert came.presentation != first.presentation
        with reader.connect(came) as card:
            assert card.uid == Uid.from_hex("DEADBEEF")


def test_apdus_reach_the_card_and_come_back(pcsc_with_vpcd: PcscWithVpcd) -> None:
    command = Command(0x00, 0xDA, 0x00, 0x00, bytes(range(200)))
    with opened(pcsc_with_vpcd.spec) as reader:
        pcsc_with_vpcd.insert(EchoCard())
        with reader.connect(presented_to(reader)) as card:
            assert card.takes_apdus
            assert card.transmit(command) == Response(bytes(command), 0x9000)


def test_a_phone_shows_another_random_uid_at_each_tap(pcsc_with_vpcd: PcscWithVpcd) -> None:
    phone, seen = PkocPhone.generate(), set()
    with opened(pcsc_with_vpcd.spec) as reader:
        for _ in range(2):
            pcsc_with_vpcd.insert(phone)
            with reader.connect(presented_to(reader)) as card:
                assert card.uid is not None
                assert card.uid.is_random
                seen.add(card.uid)
            pcsc_with_vpcd.remove()
            until(reader, CardRemoved)
    assert len(seen) == 2


def test_a_card_that_vanishes_within_an_apdu_is_gone(pcsc_with_vpcd: PcscWithVpcd) -> None:
    with opened(pcsc_with_vpcd.spec) as reader:
        pcsc_with_vpcd.insert(EchoCard(lambda raw: b""))
        with reader.connect(presented_to(reader)) as card:
            for _ in range(2):
                with pytest.raises(CardGone):
                    card.transmit(Command(0x00, 0xA4, 0x04, 0x00))
        until(reader, CardRemoved)


def test_an_answer_without_a_status_word_is_a_failed_exchange(pcsc_with_vpcd: PcscWithVpcd) -> None:
    with opened(pcsc_with_vpcd.spec) as reader:
        pcsc_with_vpcd.insert(EchoCard(lambda raw: b"\x90"))
        with reader.connect(presented_to(reader)) as card, pytest.raises(TransmitFailed):
            card.transmit(Command(0x00, 0xA4, 0x04, 0x00))


def test_a_reader_without_escape_commands_refuses_them(pcsc_with_vpcd: PcscWithVpcd) -> None:
    with opened(pcsc_with_vpcd.spec) as reader:
        pcsc_with_vpcd.insert(BADGE)
        with reader.connect(presented_to(reader)) as card, pytest.raises(TransmitFailed):
            card.escape(bytes.fromhex("E000001800"))


def test_a_pattern_chooses_among_several_readers(pcsc_with_vpcd: PcscWithVpcd) -> None:
    attached = {}
    for spec in ("pcsc", "pcsc:virtual*", "pcsc:PCD 00 01", "pcsc:ACR1252*", pcsc_with_vpcd.spec):
        with opened(spec) as reader:
            attached[spec] = {event.reader.name for event in reader.wait(0) if isinstance(event, ReaderAttached)}
    assert attached == {
        "pcsc": set(READERS),
        "pcsc:virtual*": set(READERS),
        "pcsc:PCD 00 01": {READERS[1]},
        "pcsc:ACR1252*": set(),
        pcsc_with_vpcd.spec: {READERS[0]},
    }


def test_cards_on_two_readers_are_told_apart(pcsc_with_vpcd: PcscWithVpcd) -> None:
    uids = {READERS[0]: Uid.from_hex("DEADBEEF"), READERS[1]: Uid.from_hex("04A1B2C3D4E580")}
    with opened(pcsc_with_vpcd.both_slots) as reader:
        for slot, name in enumerate(READERS):
            pcsc_with_vpcd.insert(UidCard(uids[name]), slot)
        seen: dict[str, Uid | None] = {}
        end = time.monotonic() + SEEN_WITHIN
        while len(seen) < 2 and time.monotonic() < end:
            for event in reader.wait(0.5):
                if isinstance(event, CardPresented):
                    with reader.connect(event) as card:
                        seen[event.reader.name] = card.uid
        assert seen == uids


@pytest.mark.parametrize("pattern", ["Virtual*", "None at all*"])
def test_cancel_ends_a_wait_from_another_thread(pcsc_with_vpcd: PcscWithVpcd, pattern: str) -> None:
    with opened(f"pcsc:{pattern}") as reader:
        reader.wait(0)
        ended = threading.Event()

        def wait() -> None:
            reader.wait(60)
            ended.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.1)
        reader.cancel()
        assert ended.wait(SEEN_WITHIN)
        waiting.join()


def test_a_cancel_before_the_wait_is_not_lost(pcsc_with_vpcd: PcscWithVpcd) -> None:
    with opened(pcsc_with_vpcd.spec) as reader:
        reader.wait(0)
        reader.cancel()
        started = time.monotonic()
        assert reader.wait(60) == []
        assert time.monotonic() - started < 30


def test_a_card_held_by_another_program_for_good_is_refused(pcsc_with_vpcd: PcscWithVpcd) -> None:
    with opened(pcsc_with_vpcd.spec) as reader, opened(pcsc_with_vpcd.spec) as other:
        pcsc_with_vpcd.insert(BADGE)
        presented, same = presented_to(reader), presented_to(other)
        with other.connect(same), pytest.raises(TransmitFailed, match="Another program"), reader.connect(presented):
            pass
        with reader.connect(presented) as card:
            assert card.uid == BADGE.uid


def test_a_card_shared_with_another_program_is_read_within_a_transaction(pcsc_with_vpcd: PcscWithVpcd) -> None:
    calls = Pyscard()
    with opened(pcsc_with_vpcd.spec) as reader:
        pcsc_with_vpcd.insert(BADGE)
        presented = presented_to(reader)
        _, context = calls.establish_context()
        code, sharing = calls.connect(context, READERS[0], exclusive=False)
        assert code == 0
        with reader.connect(presented) as card:
            assert card.uid == BADGE.uid
            begun = threading.Event()

            def begin() -> None:
                calls.begin_transaction(sharing.handle)
                begun.set()

            blocked = threading.Thread(target=begin)
            blocked.start()
            assert not begun.wait(0.3)
        assert begun.wait(SEEN_WITHIN)
        blocked.join()
        calls.end_transaction(sharing.handle)
        calls.disconnect(sharing.handle)
        calls.release_context(context)


def test_a_transaction_that_nobody_ends_is_not_waited_for(
    pcsc_with_vpcd: PcscWithVpcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Pyscard()
    pcsc_with_vpcd.insert(BADGE)
    with opened(pcsc_with_vpcd.spec) as reader:
        presented = presented_to(reader)
        _, context = calls.establish_context()
        _, sharing = calls.connect(context, READERS[0], exclusive=False)
        assert calls.begin_transaction(sharing.handle) == 0
        monkeypatch.setattr("readers.pcsc_hold.TRANSACTION_SECONDS", 0.2)
        with pytest.raises(TransmitFailed, match="Another program"), reader.connect(presented):
            pass
        monkeypatch.undo()
        calls.end_transaction(sharing.handle)
        calls.disconnect(sharing.handle)
        calls.release_context(context)
        end = time.monotonic() + SEEN_WITHIN
        while any(thread.name == "pcsc card" for thread in threading.enumerate()):
            assert time.monotonic() < end
            time.sleep(0.01)
        with reader.connect(presented) as card:
            assert card.uid == BADGE.uid


class Brooding:
    """A badge that does not answer one command until it is told to."""

    uid = BADGE.uid
    atr = BADGE.atr
    ats_historical = BADGE.ats_historical
    takes_apdus = True

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def power_on(self) -> None:
        pass

    def exchange(self, raw: bytes) -> bytes:
        assert self.go_on.wait(60)
        return bytes.fromhex("9000")


def test_a_card_that_never_answers_is_given_up_and_the_reader_serves_the_next(
    pcsc_with_vpcd: PcscWithVpcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Brooding()
    pcsc_with_vpcd.insert(card)
    with opened(pcsc_with_vpcd.spec) as reader:
        presented = presented_to(reader)
        with reader.connect(presented) as connected:
            monkeypatch.setattr("readers.pcsc_hold.EXCHANGE_SECONDS", 0.3)
            for _ in range(2):
                with pytest.raises(TransmitFailed, match="does not answer"):
                    connected.transmit(Command(0x00, 0xA4, 0x04, 0x00, b"\xf0" * 6))
        monkeypatch.undo()
        card.go_on.set()
        end = time.monotonic() + SEEN_WITHIN
        while any(thread.name == "pcsc card" for thread in threading.enumerate()):
            assert time.monotonic() < end
            time.sleep(0.01)
        pcsc_with_vpcd.remove()
        while not any(isinstance(event, CardRemoved) for event in reader.wait(1)):
            assert time.monotonic() < end
        pcsc_with_vpcd.insert(BADGE)
        with reader.connect(presented_to(reader)) as connected:
            assert connected.uid == BADGE.uid


def test_a_card_stays_powered_between_two_connections(pcsc_with_vpcd: PcscWithVpcd) -> None:
    phone = PkocPhone.generate()
    with opened(pcsc_with_vpcd.spec) as reader:
        pcsc_with_vpcd.insert(phone)
        presented = presented_to(reader)
        uids = []
        for _ in range(2):
            with reader.connect(presented) as card:
                uids.append(card.uid)
        assert uids[0] == uids[1]


def test_a_daemon_that_dies_within_a_wait_is_unavailable_until_it_returns(pcsc_with_vpcd: PcscWithVpcd) -> None:
    with opened(pcsc_with_vpcd.spec) as reader:
        reader.wait(0)
        killer = threading.Timer(0.2, pcsc_with_vpcd.kill_daemon)
        killer.start()
        with pytest.raises(ReaderUnavailable, match="pcscd"):
            reader.wait(10)
        killer.join()
        with pytest.raises(ReaderUnavailable, match="not running"):
            reader.open()
        pcsc_with_vpcd.start_daemon()
        reader.open()
        assert [type(event) for event in until(reader, ReaderAttached)] == [ReaderAttached]


def test_a_daemon_that_dies_within_an_exchange_means_that_the_card_is_gone(pcsc_with_vpcd: PcscWithVpcd) -> None:
    def die(raw: bytes) -> bytes:
        pcsc_with_vpcd.kill_daemon()
        return raw

    with opened(pcsc_with_vpcd.spec) as reader:
        pcsc_with_vpcd.insert(EchoCard(die))
        with reader.connect(presented_to(reader)) as card, pytest.raises(CardGone):
            card.transmit(Command(0x00, 0xA4, 0x04, 0x00))
        with pytest.raises(ReaderUnavailable):
            reader.wait(1)


def test_a_reader_that_is_gone_leaves_no_connection(pcsc_with_vpcd: PcscWithVpcd) -> None:
    with pytest.raises(CardGone), held(Pyscard(), "No such reader 00 00"):
        pass


def test_nothing_is_printed_when_the_daemon_dies(pcsc_with_vpcd: PcscWithVpcd) -> None:
    code = (
        "import sys, readers.pcsc\n"
        "reader = readers.pcsc.open_spec('')\n"
        "reader.open(); reader.wait(0)\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
        "try: reader.wait(5)\n"
        "except Exception as error: print(type(error).__name__)\n"
        "reader.close()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        pcsc_with_vpcd.kill_daemon()
        assert child.communicate(timeout=SEEN_WITHIN) == ("PcscUnavailable\n", "")
