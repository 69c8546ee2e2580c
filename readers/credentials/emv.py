"""A bank card or a wallet as an identifier: Apple Pay, Google Wallet, contactless plastic (EMV Book B, Book C-8).

Nothing here proves anything: what is read is static and can be replayed. It stands where a UID stands. GENERATE AC is
never sent. The subject is always a keyed hash: of the payment account reference (9F24) where the card gives it, else of
the account number and its sequence number. The reference is one for an account and all its devices, the number of a
wallet is that of one device: each device is enrolled by itself.

The account number appears in `_number_hashed` alone, in buffers that are wiped before it returns or raises.
"""

from dataclasses import dataclass, field

from readers.apdu import OK, Response
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.emv_application import (
    DIRECTORY,
    FALLBACK_APPLICATIONS,
    MASTERCARD,
    applications,
    get_processing_options,
    objects_of,
    processing_options,
    records,
    select,
    template_of,
)
from readers.credentials.emv_keys import IdentifierKey, IdentifierKeyMissing
from readers.errors import TlvError
from readers.reader import Card
from readers.tlv import find

KIND = "emv"
NOT_FOUND = 0x6A82
RETRY_WITHOUT_OPTIONS = (0x6700, 0x6985)
OWNER_WANTED = (0x6984, 0x6985, 0x6986, 0x6982)

TAG_NUMBER = 0x5A
TAG_TRACK_2 = 0x57
TAG_STRIPE_TRACK_2 = 0x9F6B
TAG_SEQUENCE = 0x5F34
TAG_ACCOUNT_REFERENCE = 0x9F24
TAG_QUALIFIERS = 0x9F6C

ACCOUNT_REFERENCE_SIZE = 29
DEVICE_VERIFIED = 0x80
SHORTEST_NUMBER = 8
LONGEST_NUMBER = 19
LONGEST_TRACK = 19
CAPITALS_AND_DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BY_REFERENCE = b"account reference:"
BY_NUMBER = b"account number:"
FINGERPRINT_DIGITS = 16

OWNER_VERIFIED = "owner verified on device"
WHOLE_ACCOUNT = "same for every device of this account"

SENTENCES = {
    RefusalReason.NOT_READY: "This phone or card showed no payment card. Unlock the wallet and tap again.",
    RefusalReason.KEY_MISSING: "This kiosk has no key for bank cards and wallets. Tell your administrator.",
    RefusalReason.MISBEHAVED: "This card gave an answer that makes no sense. Tap again or use another card.",
}


@dataclass(frozen=True, repr=False)
class _Read:
    """What one application answered; the objects hide their bytes."""

    application: bytes
    answers: tuple[Response, ...] = field(default=())

    def value(self, tag: int) -> bytes | None:
        for answer in self.answers:
            found = find(objects_of(answer), tag)
            if found is not None:
                return found
        return None


class EmvScheme:
    """Reads a payment application far enough to tell one card or device from another."""

    def __init__(self, key: IdentifierKey) -> None:
        """`key` makes the identifiers: with another key every card is another one."""
        self._key = key

    @property
    def kind(self) -> str:
        """Its name in claims and in the directory."""
        return KIND

    @property
    def assurance(self) -> Assurance:
        """Static data identify and prove nothing."""
        return Assurance.IDENTIFIER

    def may_apply(self, card: Card) -> bool:
        """Any ISO/IEC 14443-4 card may be one."""
        return card.takes_apdus

    def identify(self, card: Card) -> Claim | Refusal | None:
        """A claim on the keyed hash, a Refusal where there is a directory or application without one, else None.

        `card` follows 61xx. Raises what `card.transmit` raises; no traceback of it holds account data.
        """
        directory = card.transmit(select(DIRECTORY))
        if directory.status_word not in (OK, NOT_FOUND) or (directory.status_word == OK and not directory.data):
            return None
        try:
            names = applications(directory) if directory.status_word == OK else FALLBACK_APPLICATIONS
        except TlvError:
            return _refuse(RefusalReason.MISBEHAVED, card)
        refusal = None if directory.status_word == NOT_FOUND else _refuse(RefusalReason.NOT_READY, card)
        for name in names:
            outcome = self._try(card, name)
            if isinstance(outcome, Claim):
                return outcome
            refusal = outcome or refusal
        return refusal

    def _try(self, card: Card, name: bytes) -> Claim | Refusal | None:
        """None where the card does not have the application after all."""
        control = card.transmit(select(name))
        if control.status_word != OK or not control.data:
            return None
        try:
            read = _read(card, name, processing_options(control))
            return read if isinstance(read, Refusal) else self._claim(card, read)
        except TlvError:
            return _refuse(RefusalReason.MISBEHAVED, card)
        except IdentifierKeyMissing:
            return _refuse(RefusalReason.KEY_MISSING, card)

    def _claim(self, card: Card, read: _Read) -> Claim | Refusal:
        notes: tuple[str, ...] = (OWNER_VERIFIED,) if _is_owner_verified(read) else ()
        subject = _reference_hashed(read, self._key)
        if subject is not None:
            notes = (*notes, WHOLE_ACCOUNT)
        else:
            subject = _number_hashed(read, self._key)
        if subject is None:
            return _refuse(RefusalReason.NOT_READY, card)
        return Claim(KIND, subject, card.uid, self.assurance, fingerprint(subject), notes=notes)


def fingerprint(subject: bytes) -> str:
    """The short public form of an identifier, such as "emv:9f2c51d07a3b4e6d"; no digit of any number is in it."""
    return f"{KIND}:{subject.hex()[:FINGERPRINT_DIGITS]}"


def _read(card: Card, name: bytes, values: bytes) -> _Read | Refusal:
    """Processing options and all records; a card without its own terms gets a second question without values."""
    options = card.transmit(get_processing_options(values))
    if options.status_word in RETRY_WITHOUT_OPTIONS and values:
        options = card.transmit(get_processing_options(b""))
    if options.status_word != OK:
        reason = RefusalReason.NOT_READY if options.status_word in OWNER_WANTED else RefusalReason.MISBEHAVED
        return _refuse(reason, card)
    answers = [options]
    for located in records(options):
        for command in located.commands():
            record = card.transmit(command)
            # A record left out would turn one card into another: its identifier may come from any of them.
            if record.status_word != OK:
                return _refuse(RefusalReason.MISBEHAVED, card)
            template_of(record)
            answers.append(record)
    return _Read(name, tuple(answers))


def _is_owner_verified(read: _Read) -> bool:
    """Card transaction qualifiers, byte 2 bit 8 (EMV Book C-3); Mastercard gives the tag another meaning."""
    qualifiers = read.value(TAG_QUALIFIERS)
    if qualifiers is None or len(qualifiers) != 2 or read.application.startswith(MASTERCARD):
        return False
    return bool(qualifiers[1] & DEVICE_VERIFIED)


def _reference_hashed(read: _Read, key: IdentifierKey) -> bytes | None:
    """The keyed hash of the payment account reference: 29 capitals and digits. Anything else is a placeholder."""
    message = bytearray(BY_REFERENCE) + (read.value(TAG_ACCOUNT_REFERENCE) or b"")
    try:
        size = len(message) - len(BY_REFERENCE)
        if size != ACCOUNT_REFERENCE_SIZE or any(byte not in CAPITALS_AND_DIGITS for byte in message[-size:]):
            return None
        return key.keyed_hash(message)
    finally:
        message[:] = bytes(len(message))


def _number_hashed(read: _Read, key: IdentifierKey) -> bytes | None:
    """The keyed hash of account number and sequence number; None where the card shows no number.

    The number comes from 5A, else from either track 2 up to its separator, always in one form: its length, then one
    digit a byte. The buffers never grow, for growing leaves copies behind.
    """
    digits, message = bytearray(2 * LONGEST_TRACK), bytearray(len(BY_NUMBER) + 1 + LONGEST_NUMBER + 1)
    try:
        tag = next((tag for tag in (TAG_NUMBER, TAG_TRACK_2, TAG_STRIPE_TRACK_2) if read.value(tag)), TAG_NUMBER)
        for position, pair in enumerate((read.value(tag) or b"")[:LONGEST_TRACK]):
            digits[2 * position], digits[2 * position + 1] = pair >> 4, pair & 0x0F
        written = 2 * min(len(read.value(tag) or b""), LONGEST_TRACK)
        count = next((place for place in range(written) if digits[place] > 9), written)
        if not SHORTEST_NUMBER <= count <= LONGEST_NUMBER:
            return None
        start = len(BY_NUMBER) + 1
        message[:start] = BY_NUMBER + bytes((count,))
        memoryview(message)[start : start + count] = memoryview(digits)[:count]
        message[-1:] = (read.value(TAG_SEQUENCE) or b"")[:1].rjust(1, b"\x00")
        return key.keyed_hash(message)
    finally:
        pair = 0
        digits[:] = bytes(len(digits))
        message[:] = bytes(len(message))


def _refuse(reason: RefusalReason, card: Card) -> Refusal:
    return Refusal(reason, SENTENCES[reason], KIND, card.uid)
