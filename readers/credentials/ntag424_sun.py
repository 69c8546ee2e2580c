"""NTAG 424 DNA read like any NFC tag: the message that it makes anew for each read, with a counter that only goes up.

No challenge goes to the tag, so a message read elsewhere and not yet seen here would pass: an identifier, not a proof.
"""

from dataclasses import dataclass

from readers.apdu import OK, Command
from readers.credentials.aes_keys import AesKeyStore
from readers.credentials.aes_scheme import fingerprint
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.keys import CounterStore, CounterUnavailable
from readers.credentials.native import ProofFailed, fixed_uid
from readers.credentials.ntag424 import MAX_SYSTEM_SIZE, SELECT
from readers.credentials.sdm import SunLayout, SunMessage, TagState
from readers.errors import ReaderError
from readers.reader import Card
from readers.uid import Uid

KIND = "ntag424-sun"
SELECT_NDEF_FILE = Command(0x00, 0xA4, 0x00, 0x0C, bytes.fromhex("E104"))
READ_BINARY = 0xB0
CHUNK = 128
META_KEY = "ntag424-meta"
FILE_KEY = "ntag424-file"

SENTENCES = {
    RefusalReason.PROOF_FAILED: "This tag's message was not made with this site's key. Use another one.",
    RefusalReason.KEY_MISSING: "This kiosk has no key for this tag. Tell the administrator, or use another one.",
    RefusalReason.REPLAYED: "This tag's message was used before. Take the tag away and tap again.",
    RefusalReason.COUNTER_UNAVAILABLE: "Tags like this one cannot be checked at the moment. Use another card.",
}


@dataclass(frozen=True)
class SunTag:
    """How a site's tags are set up. Holds names of keys, no keys.

    `meta_key` is one for all tags, for it opens the UID; `file_key` is the tag's own, made from the UID and
    `system_identifier` (AN10922).
    """

    layout: SunLayout
    system_identifier: bytes = b""
    meta_key: str = META_KEY
    file_key: str = FILE_KEY

    def __post_init__(self) -> None:
        if len(self.system_identifier) > MAX_SYSTEM_SIZE:
            raise ReaderError(f"A system identifier has up to {MAX_SYSTEM_SIZE} bytes")

    def diversification(self, uid: Uid) -> bytes:
        """What a tag's file key is made from."""
        return uid.value + self.system_identifier


class SunScheme:
    """Reads the message, checks it, and takes its counter once."""

    def __init__(self, tag: SunTag, keys: AesKeyStore, counters: CounterStore) -> None:
        """`counters` is one for all kiosks of the site: else a message counts once at each."""
        self._tag = tag
        self._keys = keys
        self._counters = counters

    @property
    def kind(self) -> str:
        """Its name in claims and in the directory."""
        return KIND

    @property
    def assurance(self) -> Assurance:
        """The tag was not challenged."""
        return Assurance.IDENTIFIER

    def may_apply(self, card: Card) -> bool:
        """Any ISO/IEC 14443-4 card may be one: the ATR tells nothing more."""
        return card.takes_apdus

    def identify(self, card: Card) -> Claim | Refusal | None:
        """A claim on the UID, a Refusal for a message that is garbled, forged or old, None where there is none.

        Raises what `card.transmit` raises.
        """
        seen = card.uid
        file = self._read(card)
        try:
            message = SunMessage.parse(file, self._tag.layout)
            if message is None:
                return None
            state = message.open(self._keys.shared(self._tag.meta_key))
            key = self._keys.diversified(self._tag.file_key, self._tag.diversification(state.uid))
            message.verify(state, key)
        except ProofFailed:
            return _refusal(RefusalReason.PROOF_FAILED, seen)
        except KeyError:
            return _refusal(RefusalReason.KEY_MISSING, seen)
        if fixed_uid(seen) not in (None, state.uid):
            return _refusal(RefusalReason.PROOF_FAILED, seen)
        return self._take(state, seen)

    def _take(self, state: TagState, seen: Uid | None) -> Claim | Refusal:
        """The counter is spent before anybody hears of the claim."""
        try:
            if not self._counters.advance(state.uid.value, state.counter):
                return _refusal(RefusalReason.REPLAYED, seen)
        except CounterUnavailable:
            return _refusal(RefusalReason.COUNTER_UNAVAILABLE, seen)
        return Claim(KIND, state.uid.value, state.uid, self.assurance, fingerprint(KIND, state.uid.value))

    def _read(self, card: Card) -> bytes:
        """What there is of the file, up to the end of a message; nothing from another card.

        Reads that follow one another without another command between them share one counter.
        """
        for command in (SELECT, SELECT_NDEF_FILE):
            if card.transmit(command).status_word != OK:
                return b""
        size, file = self._tag.layout.size, b""
        while len(file) < size:
            part = card.transmit(read_binary(len(file), min(CHUNK, size - len(file))))
            if part.status_word != OK or not part.data:
                break
            file += part.data
        return file[:size]


def read_binary(offset: int, size: int) -> Command:
    """READ BINARY of the selected file (ISO/IEC 7816-4 11.3.3)."""
    return Command(0x00, READ_BINARY, offset >> 8, offset & 0xFF, le=size)


def _refusal(reason: RefusalReason, uid: Uid | None) -> Refusal:
    return Refusal(reason, SENTENCES[reason], KIND, uid)
