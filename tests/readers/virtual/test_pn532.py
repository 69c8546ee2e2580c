"""The virtual chip by the user manual's words, and against nfcpy's own, unchanged way of opening a line."""

import os
from pathlib import Path
from typing import Any

import nfc.clf.pn532
import nfc.clf.transport
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Command
from readers.uid import Uid
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.pn532 import Answer, Pn532, Pn533
from readers.virtual.pn532_frame import ACK, NACK, Acknowledged, Deframer, Order, Repeat, encode
from readers.virtual.pn532_uart import Pn532Uart
from readers.virtual.uid_card import UidCard
from tests.readers.cards import EchoCard

LIST_ONE = bytes((1, 0))
FIELD_OFF = bytes((0x01, 0x02))
TRY_TWICE = bytes((0x05, 1, 0, 1))
NO_RATS = b"\x00"
ATTEMPTS = 20


def obeyed(chip: Pn532, code: int, data: bytes = b"") -> Answer:
    answer = chip.obey(code, data)
    assert answer is not None
    return answer


@given(st.binary(max_size=300), st.integers(0, 255), st.integers(1, 7), st.binary(max_size=9))
def test_a_frame_cut_anywhere_is_heard_once(data: bytes, code: int, cut: int, noise: bytes) -> None:
    stream = noise.replace(b"\x00", b"\x55") + encode(bytes((0xD4, code)) + data) + ACK + NACK
    deframer = Deframer()
    heard = [each for i in range(0, len(stream), cut) for each in deframer.feed(stream[i : i + cut])]
    assert heard[0] == Order(code, data)
    assert [type(each) for each in heard[1:]] == [Acknowledged, Repeat]


@given(st.binary(max_size=600))
def test_no_bytes_upset_the_chip(stream: bytes) -> None:
    chip = Pn532()
    for each in Deframer().feed(stream):
        if isinstance(each, Order):
            chip.obey(each.code, each.data)


@given(st.integers(0, 255), st.binary(max_size=20))
def test_no_command_upsets_the_chip(code: int, data: bytes) -> None:
    chip = Pn532()
    chip.insert(EchoCard())
    chip.obey(code, data)


def test_a_frame_with_a_wrong_checksum_is_passed_over() -> None:
    spoiled = bytearray(encode(b"\xd4\x02"))
    spoiled[-2] ^= 1
    deframer = Deframer()
    assert deframer.feed(bytes(spoiled)) == []
    assert deframer.feed(encode(b"\xd4\x02")) == [Order(0x02, b"")]


def test_an_unknown_command_is_a_syntax_error() -> None:
    assert Pn532().obey(0x60, b"\x01") is None
    assert Pn532().obey(0x32, b"") is None


@pytest.mark.parametrize(
    ("digits", "sens_res"), [("DEADBEEF", "0004"), ("04A1B2C3D4E580", "0044"), ("04A1B2C3D4E580112233", "0084")]
)
def test_a_target_is_listed_with_its_whole_uid(digits: str, sens_res: str) -> None:
    chip = Pn532()
    chip.insert(UidCard(Uid.from_hex(digits)))
    uid = bytes.fromhex(digits)
    assert (
        obeyed(chip, 0x4A, LIST_ONE).data == b"\x01\x01" + bytes.fromhex(sens_res) + b"\x08" + bytes((len(uid),)) + uid
    )


def test_an_empty_field_is_searched_for_ever_or_as_often_as_told() -> None:
    chip = Pn532()
    assert obeyed(chip, 0x4A, LIST_ONE).seconds is None
    obeyed(chip, 0x32, TRY_TWICE)
    assert obeyed(chip, 0x4A, LIST_ONE) == Answer(b"\x00", 0.01)
    assert obeyed(chip, 0x06, bytes.fromhex("6339")).data == b"\x26"


def test_the_chip_activates_a_card_by_itself_unless_it_is_told_not_to() -> None:
    chip, echo = Pn532(), EchoCard()
    chip.insert(echo)
    listed = obeyed(chip, 0x4A, LIST_ONE).data
    assert listed[-1 - 4 :] == bytes.fromhex("0578807000")
    command = bytes(Command(0x00, 0xA4, 0x04, 0x00))
    assert obeyed(chip, 0x40, b"\x01" + command).data == b"\x00" + command + b"\x90\x00"
    assert obeyed(chip, 0x52, b"\x01").data == b"\x00"
    obeyed(chip, 0x32, FIELD_OFF)
    obeyed(chip, 0x12, NO_RATS)
    assert len(obeyed(chip, 0x4A, LIST_ONE).data) == len(listed) - 5
    assert obeyed(chip, 0x42, bytes.fromhex("E080")).data == bytes.fromhex("000578807000")


def test_a_card_hears_nothing_more_until_its_field_is_dropped() -> None:
    chip, phone = Pn532(), PkocPhone.generate()
    chip.insert(phone)
    obeyed(chip, 0x32, TRY_TWICE)
    first = obeyed(chip, 0x4A, LIST_ONE).data
    assert obeyed(chip, 0x4A, LIST_ONE).data == b"\x00"
    obeyed(chip, 0x32, FIELD_OFF)
    again = obeyed(chip, 0x4A, LIST_ONE).data
    assert again[:2] == first[:2]
    assert again != first, "the phone has another UID in each field"


def test_silence_takes_the_time_that_was_set() -> None:
    chip = Pn532()
    obeyed(chip, 0x32, bytes((0x02, 0, 11, 11)))
    assert obeyed(chip, 0x42, b"\xb2") == Answer(b"\x01", 0.0001 * 2**10)
    assert obeyed(chip, 0x40, b"\x01\xb2").data == b"\x27"


def test_a_card_that_leaves_within_a_frame_is_silent_and_gone() -> None:
    chip = Pn532()
    chip.insert(EchoCard(lambda raw: b""))
    obeyed(chip, 0x12, NO_RATS)
    obeyed(chip, 0x4A, LIST_ONE)
    obeyed(chip, 0x42, bytes.fromhex("E080"))
    assert obeyed(chip, 0x42, b"\x02\x00\xa4\x04\x00").data == b"\x01"
    assert chip.card is None


def test_a_pn533_puts_a_status_before_its_registers_and_has_no_memory_beside_it() -> None:
    chip = Pn533()
    assert obeyed(chip, 0x08, bytes.fromhex("630280")).data == b"\x00"
    assert obeyed(chip, 0x06, bytes.fromhex("6302")).data == b"\x00\x80"
    assert obeyed(chip, 0x06, bytes.fromhex("A000")).data == b"\x01"


def opened_by_nfcpy(chip: Pn532Uart) -> Any:
    """It waits 0.1 s for each acknowledgement, which a busy machine may miss."""
    for _ in range(ATTEMPTS):
        transport = nfc.clf.transport.TTY(os.path.realpath(chip.path))
        try:
            return nfc.clf.pn532.init(transport)
        except OSError:
            transport.close()
            chip.stop()
            chip.replug()
    pytest.fail("nfcpy did not open the line")


def test_nfcpys_own_way_of_opening_a_line_is_answered_up_to_its_highest_speed(tmp_path: Path) -> None:
    with Pn532Uart(tmp_path) as chip:
        device = opened_by_nfcpy(chip)
        assert str(device.chipset_name) == "PN532v1.6"
        assert chip.chip.speed == 921_600
        chip.insert(UidCard(Uid.from_hex("04A1B2C3D4E580")))
        target = device.sense_tta(nfc.clf.RemoteTarget("106A"))
        assert bytes(target.sdd_res) == bytes.fromhex("04A1B2C3D4E580")
        device.close()
        assert chip.chip.is_asleep
