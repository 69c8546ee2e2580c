"""Frames between a host and a PN53x, the chip's side (PN532 user manual, 6.2.1)."""

from dataclasses import dataclass

ACK = bytes.fromhex("0000FF00FF00")
NACK = bytes.fromhex("0000FFFF0000")
ERROR = bytes.fromhex("0000FF01FF7F8100")
START = b"\x00\xff"
FROM_HOST = 0xD4
FROM_CHIP = 0xD5
NORMAL_LENGTH = 255


def encode(data: bytes) -> bytes:
    """A frame around `data`, which starts with the direction byte; an extended one where that is over 255 bytes."""
    check = -sum(data) & 0xFF
    if len(data) <= NORMAL_LENGTH:
        head = bytes((len(data), -len(data) & 0xFF))
    else:
        length = len(data).to_bytes(2, "big")
        head = b"\xff\xff" + length + bytes((-sum(length) & 0xFF,))
    return b"\x00" + START + head + data + bytes((check, 0x00))


@dataclass(frozen=True)
class Order:
    """A whole frame from the host: its command code and parameters. Both are -1 and empty for a frame of nothing."""

    code: int
    data: bytes


class Acknowledged:
    """The host's ACK: it has what it wanted, or wants no more of it."""


class Repeat:
    """The host's NACK: the last answer again."""


Heard = Order | Acknowledged | Repeat


class Deframer:
    """Collects bytes and gives whole frames; a frame with a wrong checksum is passed over in silence."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def forget(self) -> None:
        """Drops what has come in so far."""
        self._bytes.clear()

    def feed(self, received: bytes) -> list[Heard]:
        """What became whole with these bytes."""
        self._bytes += received
        heard: list[Heard] = []
        while (start := self._bytes.find(START)) >= 0:
            rest = bytes(self._bytes[start + len(START) :])
            used, what = _read(rest)
            if used == 0:
                break
            del self._bytes[: start + len(START) + used]
            if what is not None:
                heard.append(what)
        return heard


def _read(rest: bytes) -> tuple[int, Heard | None]:
    """How many bytes after a start code belong to the frame (0 while it is not whole), and what it says."""
    if len(rest) < 2:
        return 0, None
    if rest[:2] == b"\x00\xff":
        return 2, Acknowledged()
    if rest[:2] == b"\xff\x00":
        return 2, Repeat()
    head, length = 2, rest[0]
    if rest[:2] == b"\xff\xff":
        if len(rest) < 5:
            return 0, None
        head, length = 5, int.from_bytes(rest[2:4], "big")
        if sum(rest[2:5]) & 0xFF:
            return 2, None
    elif sum(rest[:2]) & 0xFF:
        return 1, None
    if len(rest) < head + length + 1:
        return 0, None
    data = rest[head : head + length + 1]
    if sum(data) & 0xFF or length < 2 or data[0] != FROM_HOST:
        return head, None
    return head + length + 1, Order(data[1], data[2:-1])
