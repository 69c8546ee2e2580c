"""What may be written of an exchange, told by what it is and not by how it looks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Command, Response
from readers.credentials.piv import GET_CERTIFICATE
from readers.credentials.pkoc import SELECT, authenticate
from readers.redaction import Redactor
from readers.tlv import build

NUMBER = bytes.fromhex("4761739001010010")
PPSE = Command(0x00, 0xA4, 0x04, 0x00, b"2PAY.SYS.DDF01", 0)
VISA = Command(0x00, 0xA4, 0x04, 0x00, bytes.fromhex("A0000000031010"), 0)
VERSIONS = bytes.fromhex("5C020100")
QUESTION = authenticate(bytes(range(16)), bytes(32), le=0)
KEY, SIGNATURE = build(0x5A, b"\x04" + bytes(64)), build(0x9E, bytes(64))
NATIVE = Command(0x90, 0x60, 0x00, 0x00, le=0)
FURTHER = Command(0x90, 0xAF, 0x00, 0x00, le=0)


def kept(command: Command, data: bytes, status: int = 0x9000, after: Redactor | None = None) -> bytes | None:
    """What is kept of an answer; its length always is."""
    _, told = (after or Redactor()).exchange(command, Response(data, status))
    assert told.size == len(data)
    return told.content


def after_pkoc() -> Redactor:
    redactor = Redactor()
    redactor.exchange(SELECT, Response(VERSIONS, 0x9000))
    return redactor


def test_what_the_reader_itself_says_is_kept_but_keys_loaded_into_it_are_not() -> None:
    assert kept(Command(0xFF, 0xCA, 0x00, 0x00, le=0), b"\x04\xa1\xb2\xc3") == b"\x04\xa1\xb2\xc3"
    load_key = Command(0xFF, 0x82, 0x00, 0x00, bytes(6))
    asked, _ = Redactor().exchange(load_key, Response(b"", 0x9000))
    assert (asked.content, asked.size) == (None, 6)


def test_of_a_payment_application_only_names_and_priorities_are_kept() -> None:
    names = build(0x4F, VISA.data) + build(0x87, b"\x01")
    entry = names + build(0x50, b"VISA " + NUMBER.hex().encode())
    directory = build(0x84, PPSE.data) + build(0xA5, build(0xBF0C, build(0x61, entry)))
    expected = build(0x84, PPSE.data) + build(0xA5, build(0xBF0C, build(0x61, names)))
    assert kept(PPSE, build(0x6F, directory)) == build(0x6F, expected)
    control = build(0x6F, build(0x84, VISA.data) + build(0xA5, build(0x5A, NUMBER)))
    assert kept(VISA, control) == build(0x6F, build(0x84, VISA.data) + build(0xA5, b""))
    assert kept(VISA, b"\x5a\x08" + NUMBER) == b""
    assert kept(VISA, b"\x6f\x7f" + NUMBER) is None


@pytest.mark.parametrize(
    "command",
    [
        Command(0x80, 0xA8, 0x00, 0x00, bytes.fromhex("8300"), 0),
        Command(0x00, 0xB2, 0x01, 0x0C, le=0),
        Command(0x00, 0xC0, 0x00, 0x00, le=0),
        GET_CERTIFICATE,
        Command(0x00, 0x87, 0x11, 0x9E, bytes(40), 0),
        Command(0x90, 0xAA, 0x00, 0x00, b"\x00", 0),
        Command(0x90, 0x71, 0x00, 0x00, b"\x00\x00", 0),
        Command(0x90, 0xAF, 0x00, 0x00, bytes(32), 0),
        FURTHER,
        Command(0x90, 0xBD, 0x00, 0x00, bytes(7), 0),
        Command(0x00, 0xB0, 0x00, 0x00, le=128),
        Command(0x00, 0xCA, 0x7F, 0x21, le=0),
        QUESTION,
    ],
)
@given(data=st.binary(min_size=1, max_size=64), status=st.sampled_from([0x9000, 0x9100, 0x91AF, 0x61FF]))
def test_whatever_else_is_said_is_not_kept(command: Command, data: bytes, status: int) -> None:
    assert kept(command, data, status) is None
    asked, _ = Redactor().exchange(command, Response(data, status))
    assert asked.content in (None, b"")


def test_an_application_with_a_name_of_the_card_s_making_is_not_named() -> None:
    for name in (VISA.data + NUMBER, NUMBER, bytes.fromhex("F0010203040506")):
        asked, told = Redactor().exchange(Command(0x00, 0xA4, 0x04, 0x00, name, 0), Response(b"\x6f\x00", 0x9000))
        assert (asked.content, asked.size, told.content) == (None, len(name), None)
    assert kept(PPSE, build(0x6F, build(0x84, VISA.data + NUMBER))) == build(0x6F, b"")


@pytest.mark.parametrize("answer", [KEY + SIGNATURE, SIGNATURE + KEY])
def test_a_signature_over_a_challenge_is_kept_where_the_phone_s_applet_is_selected(answer: bytes) -> None:
    redactor = after_pkoc()
    asked, told = redactor.exchange(QUESTION, Response(answer, 0x9000))
    assert (asked.content, told.content) == (QUESTION.data, answer)
    redactor.exchange(VISA, Response(b"", 0x9000))
    assert kept(QUESTION, answer, after=redactor) is None


@pytest.mark.parametrize(
    "answer",
    [
        KEY,
        SIGNATURE + SIGNATURE,
        KEY + SIGNATURE + build(0x5A, NUMBER),
        build(0x5A, NUMBER) + SIGNATURE,
        KEY + SIGNATURE + bytes(4),
        (KEY + SIGNATURE)[:-1],
    ],
)
def test_an_answer_of_another_shape_is_not_kept(answer: bytes) -> None:
    assert kept(QUESTION, answer, after=after_pkoc()) is None


def test_the_versions_are_kept_and_nothing_beside_them() -> None:
    assert kept(SELECT, VERSIONS) == VERSIONS
    assert kept(SELECT, VERSIONS + build(0x5A, NUMBER)) is None
    assert kept(SELECT, build(0x5C, bytes(20))) is None


def test_a_desfire_s_version_is_kept_until_anything_else_is_asked() -> None:
    redactor = Redactor()
    hardware = bytes.fromhex("04010133001605")
    assert kept(NATIVE, hardware, 0x91AF, redactor) == hardware
    assert kept(FURTHER, hardware, 0x91AF, redactor) == hardware
    assert kept(FURTHER, hardware * 2, 0x9100, redactor) == hardware * 2
    assert kept(Command(0x90, 0x5A, 0x00, 0x00, b"\x01\x02\x03", 0), b"", 0x9100, redactor) == b""
    assert kept(FURTHER, hardware, 0x9100, redactor) is None
