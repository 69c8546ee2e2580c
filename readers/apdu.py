"""Command and response APDUs (ISO/IEC 7816-4 5)."""

from dataclasses import dataclass

from readers.errors import ReaderError, StatusWordError

OK = 0x9000


@dataclass(frozen=True, repr=False)
class Command:
    """A command APDU. `le` is the number of bytes expected back, 0 for "as many as there are", None for none."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    def __bytes__(self) -> bytes:
        """Short form where it fits, else extended (ISO/IEC 7816-4 5.2)."""
        header = bytes((self.cla, self.ins, self.p1, self.p2))
        if len(self.data) > 65535:
            raise ReaderError("An APDU carries at most 65535 bytes")
        if len(self.data) <= 255 and (self.le is None or self.le <= 256):
            lc = bytes((len(self.data),)) if self.data else b""
            le = b"" if self.le is None else bytes((self.le & 0xFF,))
            return header + lc + self.data + le
        lc = b"\x00" + len(self.data).to_bytes(2, "big") if self.data else b""
        le = b"" if self.le is None else (b"" if lc else b"\x00") + (self.le & 0xFFFF).to_bytes(2, "big")
        return header + lc + self.data + le

    @classmethod
    def parse(cls, raw: bytes) -> "Command":
        """The card's side: reads short and extended commands; raises ReaderError for anything else."""
        if len(raw) < 4:
            raise ReaderError("A command APDU has at least 4 bytes")
        (cla, ins, p1, p2), body = raw[:4], raw[4:]
        if not body:
            return cls(cla, ins, p1, p2)
        if len(body) == 1:
            return cls(cla, ins, p1, p2, le=body[0] or 256)
        if body[0] == 0 and len(body) == 3:
            return cls(cla, ins, p1, p2, le=int.from_bytes(body[1:], "big") or 65536)
        size, start, wide = (body[0], 1, 1) if body[0] else (int.from_bytes(body[1:3], "big"), 3, 2)
        data, rest = body[start : start + size], body[start + size :]
        if len(data) != size or len(rest) not in (0, wide):
            raise ReaderError("Command APDU length fields do not add up")
        return cls(cla, ins, p1, p2, data=data, le=(int.from_bytes(rest, "big") or 256**wide) if rest else None)

    def __repr__(self) -> str:
        return f"Command({self.cla:02X} {self.ins:02X} {self.p1:02X} {self.p2:02X}, {len(self.data)} bytes)"


@dataclass(frozen=True, repr=False)
class Response:
    """A response APDU: data and status word. Data stay out of `repr`: they may be account data."""

    data: bytes
    status_word: int

    @classmethod
    def parse(cls, raw: bytes) -> "Response":
        """Splits off the status word; raises ReaderError for fewer than two bytes."""
        if len(raw) < 2:
            raise ReaderError("A response APDU has at least its status word")
        return cls(raw[:-2], int.from_bytes(raw[-2:], "big"))

    def __bytes__(self) -> bytes:
        return self.data + self.status_word.to_bytes(2, "big")

    def expect(self, command: str) -> bytes:
        """The data of a successful response; raises StatusWordError naming `command` otherwise."""
        if self.status_word != OK:
            raise StatusWordError(self.status_word, command)
        return self.data

    def __repr__(self) -> str:
        return f"Response({len(self.data)} bytes, {self.status_word:04X})"
