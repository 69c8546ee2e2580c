"""The card's end of EV1 and EV2 secure messaging: handshakes, and the channel that each one leaves behind."""

import secrets
from dataclasses import dataclass
from typing import Protocol

from readers.credentials.aes import BLOCK, ZEROS, cmac, decrypt, encrypt, exclusive_or, pad, rotated_left, truncated
from readers.credentials.ev1 import crc32

MAC_SIZE = 8
SUCCESS = b"\x00"


class Channel(Protocol):
    """A session with one reader under one key."""

    @property
    def key_number(self) -> int:
        """Which of the card's keys the reader knew."""

    def received(self, instruction: int, data: bytes) -> bytes | None:
        """The command's header, its MAC checked and taken off where there is one; None for a wrong one."""

    def with_mac(self, data: bytes) -> bytes:
        """An answer in MAC mode."""

    def enciphered(self, data: bytes) -> bytes:
        """An answer in full mode."""


class Ev1Channel:
    """After AuthenticateAES: one chain of blocks for everything that is said."""

    def __init__(self, key_number: int, key: bytes) -> None:
        self.key_number = key_number
        self._key = key
        self._iv = ZEROS

    def received(self, instruction: int, data: bytes) -> bytes | None:
        """Commands carry no MAC here, but move the chain."""
        self._iv = cmac(self._key, bytes((instruction,)) + data, self._iv)
        return data

    def with_mac(self, data: bytes) -> bytes:
        """Data and the first half of the MAC."""
        self._iv = cmac(self._key, data + SUCCESS, self._iv)
        return data + self._iv[:MAC_SIZE]

    def enciphered(self, data: bytes) -> bytes:
        """Data, CRC over data and status, and zeros."""
        plain = data + crc32(data + SUCCESS)
        sealed = encrypt(self._key, plain + bytes(-len(plain) % BLOCK), self._iv)
        self._iv = sealed[-BLOCK:]
        return sealed


class Ev2Channel:
    """After AuthenticateEV2First: a transaction identifier and a counter in every MAC."""

    def __init__(self, key_number: int, encryption_key: bytes, mac_key: bytes, identifier: bytes) -> None:
        self.key_number = key_number
        self._encryption_key = encryption_key
        self._mac_key = mac_key
        self._identifier = identifier
        self._counter = 0

    def received(self, instruction: int, data: bytes) -> bytes | None:
        """The header before its MAC."""
        if len(data) < MAC_SIZE:
            return None
        header, mac = data[:-MAC_SIZE], data[-MAC_SIZE:]
        fits = mac == self._mac(bytes((instruction,)), header)
        self._counter += 1
        return header if fits else None

    def with_mac(self, data: bytes) -> bytes:
        """Data and MAC, reckoned with the counter after the command."""
        return data + self._mac(SUCCESS, data)

    def enciphered(self, data: bytes) -> bytes:
        """Data padded and enciphered, then the MAC over that."""
        label = b"\x5a\xa5" + self._identifier + self._counter.to_bytes(2, "little") + bytes(8)
        return self.with_mac(encrypt(self._encryption_key, pad(data), encrypt(self._encryption_key, label)))

    def _mac(self, code: bytes, content: bytes) -> bytes:
        counted = code + self._counter.to_bytes(2, "little") + self._identifier + content
        return truncated(cmac(self._mac_key, counted))


@dataclass(frozen=True, repr=False)
class Ev1Handshake:
    """A challenge given out with AuthenticateAES."""

    key_number: int
    key: bytes
    challenge: bytes

    @property
    def first_answer(self) -> bytes:
        """The challenge, enciphered."""
        return encrypt(self.key, self.challenge)

    def finish(self, token: bytes) -> tuple[bytes, Channel] | None:
        """The card's own proof and the channel, where the reader's token is right."""
        if len(token) != 2 * BLOCK:
            return None
        plain = decrypt(self.key, token, self.first_answer)
        theirs, proof = plain[:BLOCK], plain[BLOCK:]
        if proof != rotated_left(self.challenge):
            return None
        session = theirs[:4] + self.challenge[:4] + theirs[-4:] + self.challenge[-4:]
        return encrypt(self.key, rotated_left(theirs), token[-BLOCK:]), Ev1Channel(self.key_number, session)


@dataclass(frozen=True, repr=False)
class Ev2Handshake:
    """A challenge given out with AuthenticateEV2First."""

    key_number: int
    key: bytes
    challenge: bytes

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
