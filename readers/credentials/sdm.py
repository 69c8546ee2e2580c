"""Secure dynamic messaging of NTAG 424 DNA: what the tag writes into its NDEF file at each read (AN12196 3.4)."""

from dataclasses import dataclass

from readers.credentials.aes import BLOCK, cmac, decrypt, truncated
from readers.credentials.native import MAC_SIZE, REAL_UID_SIZE, ProofFailed, require_equal
from readers.errors import ReaderError
from readers.uid import Uid

SESSION_MAC_CONTEXT = bytes.fromhex("3CC300010080")
UID_AND_COUNTER = 0xC7
COUNTER_SIZE = 3
PICC_DIGITS = 2 * BLOCK
MAC_DIGITS = 2 * MAC_SIZE
MAX_FILE = 256
DIGITS = b"0123456789ABCDEFabcdef"


@dataclass(frozen=True)
class SunLayout:
    """Where the tag writes, in bytes from the start of its NDEF file, as set with ChangeFileSettings.

    `picc_data` (PICCDataOffset): 32 hexadecimal digits of enciphered UID and counter. `mac` (SDMMACOffset): 16 digits.
    `mac_input` (SDMMACInputOffset): the MAC covers the file from here to `mac`; nothing where both are the same.
    """

    picc_data: int
    mac_input: int
    mac: int

    def __post_init__(self) -> None:
        if not 2 <= self.picc_data <= self.mac - PICC_DIGITS or self.mac + MAC_DIGITS > MAX_FILE:
            raise ReaderError(f"PICC data come before the MAC, and both fit into {MAX_FILE} bytes")
        if not 0 <= self.mac_input <= self.mac:
            raise ReaderError("A MAC covers what comes before it")

    @property
    def size(self) -> int:
        """How much of the file must be read."""
        return self.mac + MAC_DIGITS


@dataclass(frozen=True)
class SunMessage:
    """What one read of the file said, still to be believed."""

    picc_data: bytes
    covered: bytes
    mac: bytes

    @classmethod
    def parse(cls, file: bytes, layout: SunLayout) -> "SunMessage | None":
        """The message in an NDEF file (length bytes included), of which less may have come than the layout wants.

        None where less than half of its digits are in their places: another tag's file. Raises ProofFailed where more
        are, and not all.
        """
        picc_data = file[layout.picc_data : layout.picc_data + PICC_DIGITS]
        mac = file[layout.mac : layout.mac + MAC_DIGITS]
        found = sum(character in DIGITS for character in picc_data + mac)
        if 2 * found < PICC_DIGITS + MAC_DIGITS:
            return None
        if found < PICC_DIGITS + MAC_DIGITS:
            raise ProofFailed("A message with digits missing")
        covered = file[layout.mac_input : layout.mac]
        return cls(bytes.fromhex(picc_data.decode("ascii")), covered, bytes.fromhex(mac.decode("ascii")))

    def open(self, meta_key: bytes) -> "TagState":
        """The UID and counter under SDMMetaReadKey; raises ProofFailed where another key made them."""
        plain = decrypt(meta_key, self.picc_data)
        if plain[0] != UID_AND_COUNTER:
            raise ProofFailed("PICC data of another key, or without UID and counter")
        counter = plain[1 + REAL_UID_SIZE : 1 + REAL_UID_SIZE + COUNTER_SIZE]
        return TagState(Uid(plain[1 : 1 + REAL_UID_SIZE]), int.from_bytes(counter, "little"))

    def verify(self, state: "TagState", file_key: bytes) -> None:
        """Raises ProofFailed unless the MAC is that of SDMFileReadKey for this UID and counter."""
        require_equal(truncated(cmac(session_mac_key(file_key, state), self.covered)), self.mac, "The MAC of a message")


@dataclass(frozen=True)
class TagState:
    """Which tag it was, and its how manieth read."""

    uid: Uid
    counter: int

    def __bytes__(self) -> bytes:
        return self.uid.value + self.counter.to_bytes(COUNTER_SIZE, "little")


def session_mac_key(file_key: bytes, state: TagState) -> bytes:
    """The key of one read's MAC (AN12196 3.4.4.1)."""
    return cmac(file_key, SESSION_MAC_CONTEXT + bytes(state))
