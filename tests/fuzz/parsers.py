"""Targets that take bytes as they are: TLV, ATR, APDU, UID, ATS and foreign text."""

import unicodedata
from collections.abc import Iterable

from readers.apdu import Command, Response
from readers.atr import ProcessorCard, StorageCard, UnknownCard, classify, contactless_atr, historical_bytes
from readers.errors import ReaderError, StatusWordError, TlvError
from readers.iso_dep import AnswerToSelect
from readers.text import MARKS_PER_BASE, cell_width, clip, safe_text
from readers.tlv import MAX_DEPTH, MAX_OBJECTS, Tlv, build, find, parse, parse_flat
from readers.uid import Uid
from tests.fuzz.target import Target, require

LIMIT = 64
APDUS = ("00A40400", "00A4040008A00000089800000100", "80A80000028300", "00B2010C00", "00CB3FFF000003AABBCC0000")
ATRS = ("3B8F8001804F0CA000000306030001000000006A", "3B80800101", "3B8180018080", "3B6500002063CB6600")
ANSWERS_TO_SELECT = ("01", "0578807002", "067577810280", "0578F70280", "0A78807002000102030405")
UIDS = ("04A1B2C3D4E580", "08010203", "88010203", "3034413142", "00" * 10)
IDENTITIES = (*ATRS, *ANSWERS_TO_SELECT, *UIDS)


def check_tlv(data: bytes) -> None:
    """Objects lie within the input, within all bounds, and are found and built again."""
    for read in (parse, parse_flat):
        try:
            objects = read(data)
        except TlvError:
            continue
        require(_count(objects) <= MAX_OBJECTS, "More objects than allowed")
        require(_depth(objects) <= MAX_DEPTH + 1, "Nested deeper than allowed")
        for item in objects:
            require(item.value in data, "A value from nowhere")
            require(find(objects, item.tag) is not None, "An object that is there and not found")
            require(item.value.hex() not in repr(item) or len(item.value) < 2, "A value that shows")
            if (item.tag.bit_length() + 7) // 8 <= 3:
                require(read(bytes(item)) == (item,), "What was built is not what was read")


def check_atr(data: bytes) -> None:
    """The classifier takes anything, and agrees with the strict reading."""
    kind = classify(data)
    require(isinstance(kind, StorageCard | ProcessorCard | UnknownCard) and bool(kind.name), "No kind of card")
    try:
        historical = historical_bytes(data)
    except TlvError:
        require(isinstance(kind, UnknownCard), "A kind out of an ATR that does not add up")
        return
    require(not isinstance(kind, UnknownCard) and len(historical) <= 15, "An ATR that adds up, and no kind")
    require(historical_bytes(contactless_atr(historical)) == historical, "Not the same historical bytes")


def check_apdu(data: bytes) -> None:
    """Commands survive the way to the card and back; responses keep their bytes and hide them."""
    try:
        command = Command.parse(data)
    except ReaderError:
        pass
    else:
        require(Command.parse(bytes(command)) == command, "Another command after a round trip")
        require(len(bytes(command)) <= len(data), "A longer form than what came")
    try:
        response = Response.parse(data)
    except ReaderError:
        require(len(data) < 2, "A response refused that has a status word")
        return
    require(bytes(response) == data and len(repr(response)) < 40, "Another response, or one that shows")
    try:
        require(response.expect("X") == data[:-2] and data[-2:] == b"\x90\x00", "Success without 9000")
    except StatusWordError as error:
        require(error.status_word == response.status_word, "Another status word")


def check_uid(data: bytes) -> None:
    """A UID is made from 4, 7 or 10 bytes and shows two of them; random ones and impossible ones are told."""
    for is_text in (False, True):
        try:
            uid = Uid.from_hex(data.decode("latin-1")) if is_text else Uid(data)
        except ReaderError:
            continue
        require(len(uid.value) in (4, 7, 10), "A UID of another size")
        require({repr(uid), str(uid)} == {f"Uid(…{uid.hex()[-4:]})", f"…{uid.hex()[-4:]}"}, "A UID that shows")
        require(Uid.from_hex(uid.hex()) == uid, "Another UID after a round trip")
        require(uid.is_random == (uid.value[0] == 0x08), "A random UID that is taken for a fixed one")
        require(not uid.is_valid or any(uid.value), "A valid UID of zeros")


def check_ats(data: bytes) -> None:
    """An ATS is read or refused; times and sizes are ones a card can have."""
    try:
        answer = AnswerToSelect.parse(data)
    except TlvError:
        return
    require(16 <= answer.frame_size <= 256 and 0 < answer.frame_waiting_time < 5.0, "Impossible sizes or times")
    require(answer.historical in data, "Historical bytes from nowhere")


def check_identity(data: bytes) -> None:
    """Whatever a card says of itself before the first command."""
    for check in (check_atr, check_ats, check_uid):
        check(data)


def check_text(data: bytes) -> None:
    """Only what prints is left, it fits, and a second pass changes nothing."""
    even = data[: len(data) // 2 * 2]
    for foreign in (data, data.decode("utf-8", "surrogateescape"), even.decode("utf-16-le", "replace")):
        safe = safe_text(foreign, LIMIT)
        require(len(safe) <= LIMIT, "Longer than allowed")
        require(safe_text(safe, LIMIT) == safe, "A second pass changes it")
        require(unicodedata.is_normalized("NFC", safe), "Not in normal form C")
        require(not any(unicodedata.category(each)[0] == "C" for each in safe), "A control character is left")
        marks = [unicodedata.category(each).startswith("M") for each in safe]
        for place in range(len(marks) - MARKS_PER_BASE):
            require(not all(marks[place : place + MARKS_PER_BASE + 1]), "Too many marks on one base")
        require(not marks or not marks[0], "A mark without its base")
        for cells in (0, 1, 7):
            require(cell_width(clip(safe, cells)) <= cells, "Wider than its cells")


def planted() -> Target:
    """A target with a fault, some way from its seed: whoever finds nothing here does not look."""

    def check(data: bytes) -> None:
        try:
            found = find(parse(data), 0x5A)
        except TlvError:
            return
        require(found is None or len(found) != 2, "The planted fault")

    return Target("planted", check, lambda: (bytes.fromhex("70045A01AA00"),))


def _count(objects: Iterable[Tlv]) -> int:
    return sum(1 + _count(item.children) for item in objects)


def _depth(objects: Iterable[Tlv]) -> int:
    return max((1 + _depth(item.children) for item in objects), default=0)


def _tlv_seeds() -> Iterable[bytes]:
    yield build(0x70, build(0x5A, b"\x47\x61") + build(0x9F36, b"\x00\x01"))
    yield build(0x7F49, build(0x86, bytes(65)))
    yield b"\x00\x00" + build(0x5F24, b"\x26\x01\x01") + build(0xDF8129, bytes(200))
    yield from (bytes((0x70, size)) * 12 for size in (0x7F, 0x81, 0x82, 0x84))
    nested = build(0x5A, b"")
    for _ in range(MAX_DEPTH + 1):
        nested = build(0x70, nested)
        yield nested


def _texts() -> Iterable[bytes]:
    for text in ("M\u00fcller^Ren\u00e9", "\x1b]52;c;Zm9v\x07a", "\x9b31mred", "e" + "\u0301" * 9, "\u202eevil"):
        yield text.encode("utf-8")
        yield text.encode("utf-16-le")


PARSERS = {
    target.name: target
    for target in (
        Target("tlv", check_tlv, _tlv_seeds),
        Target("apdu", check_apdu, lambda: map(bytes.fromhex, APDUS)),
        Target("identity", check_identity, lambda: map(bytes.fromhex, IDENTITIES)),
        Target("text", check_text, _texts),
    )
}
