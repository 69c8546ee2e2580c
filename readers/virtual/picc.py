"""The card's end of EV1 and EV2 secure messaging: handshakes, and the channel that each one leaves behind."""

import secrets
from dataclasses import dataclass
from typing import ClassVar, Protocol

from readers.credentials.aes import BLOCK, cmac, decrypt, encrypt, exclusive_or, pad, rotated_left, truncated, unpad
from readers.credentials.block_cipher import AES, DES, BlockCipher
from readers.credentials.ev1 import CRC_SIZE, crc32
from readers.errors import ReaderError

MAC_SIZE = 8
SUCCESS = b"\x00"


class Channel(Protocol):
    """A session with one reader under one key. None stands for a command whose protection is wrong."""

    @property
    def key_number(self) -> int:
        """Which of the card's keys the reader knew."""

    def received(self, instruction: int, data: bytes) -> bytes | None:
        """The command's header, its MAC checked and taken off where there is one."""

    def received_plain(self, instruction: int, data: bytes) -> bytes:
        """What came on behalf of a file in plain mode."""

    def received_mac(self, instruction: int, data: bytes) -> bytes | None:
        """Header and data of a command that writes in MAC mode."""

    def deciphered(self, instruction: int, header: bytes, sealed: bytes, size: int) -> bytes | None:
        """The `size` bytes of data of a command in full mode."""

    def new_key(self, instruction: int, number: int, sealed: bytes, old: bytes | None) -> tuple[bytes, int] | None:
        """The AES key that ChangeKey brings, and its version; `old` None where it is the session's own."""

    def plain(self, data: bytes) -> bytes:
        """An answer on behalf of a file in plain mode."""

    def with_mac(self, data: bytes) -> bytes:
        """An answer in MAC mode."""

    def enciphered(self, data: bytes) -> bytes:
        """An answer in full mode."""


class Ev1Channel:
    """After AuthenticateAES or AuthenticateISO: one chain of blocks for everything that is said."""

    def __init__(self, key_number: int, key: bytes, cipher: BlockCipher = AES) -> None:
        self.key_number = key_number
        self._key = key
        self._cipher = cipher
        self._iv = cipher.zeros

    def received(self, instruction: int, data: bytes) -> bytes | None:
        """Commands carry no MAC here, but move the chain."""
        self._mac(bytes((instruction,)) + data)
        return data

    def received_plain(self, instruction: int, data: bytes) -> bytes:
        """The same."""
        self._mac(bytes((instruction,)) + data)
        return data

    def received_mac(self, instruction: int, data: bytes) -> bytes | None:
        """Only what is written in MAC mode carries its MAC."""
        content, mac = data[:-MAC_SIZE], data[-MAC_SIZE:]
        return content if self._mac(bytes((instruction,)) + content) == mac else None

    def deciphered(self, instruction: int, header: bytes, sealed: bytes, size: int) -> bytes | None:
        """Data and CRC over command, header and data, then zeros."""
        plain = self._decipher(sealed)
        data, crc, padding = plain[:size], plain[size : size + CRC_SIZE], plain[size + CRC_SIZE :]
        fits = crc == crc32(bytes((instruction,)) + header + data) and padding.count(0) == len(padding)
        return data if fits and len(padding) < self._cipher.block else None

    def new_key(self, instruction: int, number: int, sealed: bytes, old: bytes | None) -> tuple[bytes, int] | None:
        """Key or difference, version, CRC over all that with command and number; for another key a CRC of it, too."""
        plain = self._decipher(sealed)
        data, crc, rest = plain[: BLOCK + 1], plain[BLOCK + 1 : BLOCK + 5], plain[BLOCK + 5 :]
        if len(data) <= BLOCK or crc != crc32(bytes((instruction, number)) + data):
            return None
        key = data[:BLOCK] if old is None else exclusive_or(data[:BLOCK], old)
        if old is not None:
            second, rest = rest[:CRC_SIZE], rest[CRC_SIZE:]
            if second != crc32(key):
                return None
        return (key, data[BLOCK]) if not any(rest) and len(rest) < self._cipher.block else None

    def plain(self, data: bytes) -> bytes:
        """Whoever has proved a key gets a MAC in this mode too."""
        return self.with_mac(data)

    def with_mac(self, data: bytes) -> bytes:
        """Data and the first half of the MAC."""
        return data + self._mac(data + SUCCESS)

    def enciphered(self, data: bytes) -> bytes:
        """Data, CRC over data and status, and zeros."""
        plain = data + crc32(data + SUCCESS)
        sealed = self._cipher.encrypt(self._key, plain + bytes(-len(plain) % self._cipher.block), self._iv)
        self._iv = sealed[-self._cipher.block :]
        return sealed

    def _mac(self, content: bytes) -> bytes:
        self._iv = self._cipher.cmac(self._key, content, self._iv)
        return self._iv[:MAC_SIZE]

    def _decipher(self, sealed: bytes) -> bytes:
        if not sealed or len(sealed) % self._cipher.block:
            return b""
        plain = self._cipher.decrypt(self._key, sealed, self._iv)
        self._iv = sealed[-self._cipher.block :]
        return plain


class Ev2Channel:
    """After AuthenticateEV2First: a transaction identifier and a counter in every MAC."""

    def __init__(self, key_number: int, encryption_key: bytes, mac_key: bytes, identifier: bytes) -> None:
        self.key_number = key_number
        self._encryption_key = encryption_key
        self._mac_key = mac_key
        self._identifier = identifier
        self._counter = 0

    def received(self, instruction: int, data: bytes) -> bytes | None:
        """What comes before the MAC."""
        if len(data) < MAC_SIZE:
            return None
        header, mac = data[:-MAC_SIZE], data[-MAC_SIZE:]
        fits = mac == self._mac(bytes((instruction,)), header)
        self._counter += 1
        return header if fits else None

    def received_plain(self, instruction: int, data: bytes) -> bytes:
        """Without a MAC, but counted."""
        self._counter += 1
        return data

    def received_mac(self, instruction: int, data: bytes) -> bytes | None:
        """The same as without data."""
        return self.received(instruction, data)

    def deciphered(self, instruction: int, header: bytes, sealed: bytes, size: int) -> bytes | None:
        """Deciphered once the MAC over what was sealed is seen to be right."""
        iv = self._iv(b"\xa5\x5a")
        content = self.received(instruction, header + sealed)
        if content is None:
            return None
        try:
            data = unpad(decrypt(self._encryption_key, content[len(header) :], iv))
        except ReaderError:
            return None
        return data if len(data) == size else None

    def new_key(self, instruction: int, number: int, sealed: bytes, old: bytes | None) -> tuple[bytes, int] | None:
        """Key and version; for another key the difference, version and a CRC of the key."""
        size = BLOCK + 1 if old is None else BLOCK + 1 + CRC_SIZE
        data = self.deciphered(instruction, bytes((number,)), sealed, size)
        if data is None:
            return None
        if old is None:
            return data[:BLOCK], data[BLOCK]
        key = exclusive_or(data[:BLOCK], old)
        return (key, data[BLOCK]) if data[BLOCK + 1 :] == crc32(key) else None

    def plain(self, data: bytes) -> bytes:
        """As it is."""
        return data

    def with_mac(self, data: bytes) -> bytes:
        """Data and MAC, reckoned with the counter after the command."""
        return data + self._mac(SUCCESS, data)

    def enciphered(self, data: bytes) -> bytes:
        """Data padded and enciphered, then the MAC over that."""
        return self.with_mac(encrypt(self._encryption_key, pad(data), self._iv(b"\x5a\xa5")))

    def _iv(self, label: bytes) -> bytes:
        counted = label + self._identifier + self._counter.to_bytes(2, "little") + bytes(8)
        return encrypt(self._encryption_key, counted)

    def _mac(self, code: bytes, content: bytes) -> bytes:
        counted = code + self._counter.to_bytes(2, "little") + self._identifier + content
        return truncated(cmac(self._mac_key, counted))


@dataclass(frozen=True, repr=False)
class Ev1Handshake:
    """A challenge given out with AuthenticateAES."""

    key_number: int
    key: bytes
    challenge: bytes
    cipher: ClassVar[BlockCipher] = AES

    @property
    def first_answer(self) -> bytes:
        """The challenge, enciphered."""
        return self.cipher.encrypt(self.key, self.challenge, self.cipher.zeros)

    def finish(self, token: bytes) -> tuple[bytes, Channel] | None:
        """The card's own proof and the channel, where the reader's token is right."""
        size = self.cipher.block
        if len(token) != 2 * size:
            return None
        plain = self.cipher.decrypt(self.key, token, self.first_answer)
        theirs, proof = plain[:size], plain[size:]
        if proof != rotated_left(self.challenge):
            return None
        channel = Ev1Channel(self.key_number, self._session_key(theirs), self.cipher)
        return self.cipher.encrypt(self.key, rotated_left(theirs), token[-size:]), channel

    def _session_key(self, theirs: bytes) -> bytes:
        return theirs[:4] + self.challenge[:4] + theirs[-4:] + self.challenge[-4:]


class DesHandshake(Ev1Handshake):
    """A challenge given out with AuthenticateISO for a DES key."""

    cipher: ClassVar[BlockCipher] = DES

    def _session_key(self, theirs: bytes) -> bytes:
        return theirs[:4] + self.challenge[:4]


@dataclass(frozen=True, repr=False)
class Ev2Handshake:
    """A challenge given out with AuthenticateEV2First."""

    key_number: int
    key: bytes
    challenge: bytes
    cipher: ClassVar[BlockCipher] = AES

    @property
    def first_answer(self) -> bytes:
        """The challenge, enciphered."""
        return encrypt(self.key, self.challenge)

    def finish(self, token: bytes) -> tuple[bytes, Channel] | None:
        """The card's own proof and the channel, where the reader's token is right."""
        if len(token) != 2 * BLOCK:
            return None
        plain = decrypt(self.key, token)
        theirs, proof = plain[:BLOCK], plain[BLOCK:]
        if proof != rotated_left(self.challenge):
            return None
        identifier = secrets.token_bytes(4)
        mixed = theirs[:2] + exclusive_or(theirs[2:8], self.challenge[:6]) + self.challenge[6:] + theirs[8:]
        encryption_key, mac_key = (
            cmac(self.key, bytes.fromhex(label) + mixed) for label in ("A55A00010080", "5AA500010080")
        )
        channel = Ev2Channel(self.key_number, encryption_key, mac_key, identifier)
        return encrypt(self.key, identifier + rotated_left(theirs) + bytes(12)), channel


Handshake = Ev1Handshake | Ev2Handshake
