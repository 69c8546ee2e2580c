"""What of an exchange with a card may be written down, decided before it is: what is not known to be harmless is not.

Written whole: the reader's own answers with UID and ATS; SELECT with the name of a public application; a DESFire's
application identifiers and its version; in PKOC SE V1 the challenge, the public key and the signature, which are public
and of no use a second time. Of what an application says when it is selected only names and priorities are kept.

Everything else is withheld but for its length and the status word, command and answer alike:
- every answer of a payment application after SELECT: number, tracks and account reference are in there, and nothing is
  looked into to find out where;
- challenges, tokens and data of DESFire and NTAG 424: they hold no key, but whoever has a guess at one, or steals it
  later, could check it against them and open what was said;
- an NTAG 424's message (SUN): it is as good as the tag until its counter is spent;
- PIV's certificate, CHUID and signature, and PKOC's certificate: they name a person;
- whatever is not listed here, such as keys loaded into a reader.
"""

from dataclasses import dataclass

from readers.apdu import OK, Command, Response
from readers.errors import TlvError
from readers.pseudo_apdu import GET_DATA, READER_CLASS
from readers.tlv import Tlv, build, parse

DIRECTORY = b"2PAY.SYS.DDF01"
PKOC = bytes.fromhex("A000000898000001")
PUBLIC_NAMES = frozenset(
    (
        DIRECTORY,
        PKOC,
        *(
            bytes.fromhex(name)
            for name in (
                "A000000308",  # PIV: its authority, and its whole name with and without a version
                "A00000030800001000",
                "A000000308000010000100",
                "D2760000850101",  # NFC Forum Type 4 tag
                "A0000006472F0001",  # FIDO
                "A000000909ACCE5501",  # Aliro, both phases
                "A000000909ACCE5502",
            )
        ),
    )
)
PAYMENT_PROVIDERS = frozenset(
    bytes.fromhex(provider)
    for provider in (
        "A000000003",
        "A000000004",
        "A000000025",
        "A000000065",
        "A000000152",
        "A000000277",
        "A000000324",
        "A000000333",
        "A000000524",
        "A000000658",
    )
)
PAYMENT_NAME_SIZE = 7

SELECT = (0x00, 0xA4, 0x04)
SELECT_FILE = (0x00, 0xA4, 0x00)
PKOC_AUTHENTICATE = (0x80, 0x80, 0x00, 0x01)
PKOC_QUESTION = ((0x5C, 2), (0x4C, 16), (0x4D, 32))
PKOC_ANSWER = frozenset(((0x5A, 65), (0x9E, 64)))
NATIVE_CLASS, NATIVE_SELECT, NATIVE_VERSION, NATIVE_FURTHER = 0x90, 0x5A, 0x60, 0xAF
VERSION_SIZES = (0, 7, 14)
LONGEST_VERSIONS = 16

TAG_VERSIONS = 0x5C
TAG_PRIORITY = 0x87
NAMES = (0x4F, 0x84)
FRAMES = (0x6F, 0xA5, 0xBF0C, 0x61, 0x79)


@dataclass(frozen=True, repr=False)
class Kept:
    """What may be written of `size` bytes: `content`, which may be less than all of them, or None for nothing."""

    content: bytes | None
    size: int


class Redactor:
    """Judges the exchanges with one card, in their order, from its connection on."""

    def __init__(self) -> None:
        self._speaks_pkoc = False
        self._tells_version = False

    def exchange(self, command: Command, response: Response | None) -> tuple[Kept, Kept]:
        """What may be kept of both; `response` None where none came."""
        head = (command.cla, command.ins, command.p1)
        told = response or Response(b"", 0)
        if command.cla == READER_CLASS:
            return _both(command, told) if command.ins == GET_DATA else _neither(command, told)
        if head == SELECT:
            return self._selected(command, told)
        if command.cla == NATIVE_CLASS:
            return self._native(command, told)
        self._tells_version = False
        if head == SELECT_FILE:
            return _whole(command.data) if len(command.data) == 2 else _nothing(command.data), _nothing(told.data)
        if self._speaks_pkoc and (*head, command.p2) == PKOC_AUTHENTICATE:
            return self._signed(command, told)
        return _neither(command, told)

    def _selected(self, command: Command, told: Response) -> tuple[Kept, Kept]:
        self._tells_version = False
        self._speaks_pkoc = command.data == PKOC and told.status_word == OK
        if not _is_public(command.data):
            return _neither(command, told)
        content = _versions(told) if command.data == PKOC else _names(told)
        return _whole(command.data), Kept(content, len(told.data))

    def _native(self, command: Command, told: Response) -> tuple[Kept, Kept]:
        self._speaks_pkoc = False
        further = command.ins == NATIVE_FURTHER and self._tells_version
        self._tells_version = command.ins == NATIVE_VERSION or further
        if self._tells_version and not command.data and len(told.data) in VERSION_SIZES:
            return _both(command, told)
        if command.ins == NATIVE_SELECT and len(command.data) == 3:
            return _whole(command.data), _nothing(told.data)
        return _neither(command, told)

    def _signed(self, command: Command, told: Response) -> tuple[Kept, Kept]:
        question, answer = _shape(command.data), _shape(told.data)
        said = _whole if len(answer) == len(PKOC_ANSWER) and frozenset(answer) == PKOC_ANSWER else _nothing
        asked = _whole if question == PKOC_QUESTION else _nothing
        return asked(command.data), said(told.data)


def _whole(data: bytes) -> Kept:
    return Kept(data, len(data))


def _nothing(data: bytes) -> Kept:
    return Kept(None if data else b"", len(data))


def _both(command: Command, told: Response) -> tuple[Kept, Kept]:
    return _whole(command.data), _whole(told.data)


def _neither(command: Command, told: Response) -> tuple[Kept, Kept]:
    return _nothing(command.data), _nothing(told.data)


def _is_public(name: bytes) -> bool:
    """Nothing that a card could have put together itself, such as a name with a number behind it."""
    return name in PUBLIC_NAMES or (len(name) <= PAYMENT_NAME_SIZE and name[:5] in PAYMENT_PROVIDERS)


def _shape(data: bytes) -> tuple[tuple[int, int], ...]:
    """Tag and length of each data object; empty for what does not add up, or has padding, where more could hide."""
    try:
        objects = parse(data)
    except TlvError:
        return ()
    if sum(len(bytes(item)) for item in objects) != len(data):
        return ()
    return tuple((item.tag, len(item.value)) for item in objects)


def _versions(told: Response) -> bytes | None:
    """PKOC's list of versions."""
    shape = _shape(told.data)
    if len(shape) == 1 and shape[0][0] == TAG_VERSIONS and shape[0][1] <= LONGEST_VERSIONS:
        return told.data
    return None if told.data else b""


def _names(told: Response) -> bytes | None:
    """The same data objects with names of applications and their priorities in them, and nothing else."""
    try:
        return b"".join(_kept(item) for item in parse(told.data))
    except TlvError:
        return None


def _kept(item: Tlv) -> bytes:
    if item.tag in FRAMES:
        return build(item.tag, b"".join(_kept(child) for child in item.children))
    if item.tag in NAMES and (_is_public(item.value) or _is_piv_part(item.value)):
        return bytes(item)
    return bytes(item) if item.tag == TAG_PRIORITY and len(item.value) == 1 else b""


def _is_piv_part(name: bytes) -> bool:
    """PIV tells its name in two halves (SP 800-73pt2-5 table 3)."""
    return name in (bytes.fromhex("000010000100"), bytes.fromhex("00001000"))
