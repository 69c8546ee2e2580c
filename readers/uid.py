"""Unique identifiers of ISO/IEC 14443-3 type A cards: 4, 7 or 10 bytes."""

from dataclasses import dataclass

from readers.errors import ReaderError

SIZES = (4, 7, 10)
CASCADE_TAG = 0x88
RANDOM_FIRST_BYTE = 0x08


@dataclass(frozen=True)
class Uid:
    """A card's UID, first byte first. Masked in `str` and `repr`, whole in `hex()`."""

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) not in SIZES:
            raise ReaderError(f"A type A UID has 4, 7 or 10 bytes, not {len(self.value)}")

    @classmethod
    def from_hex(cls, text: str) -> "Uid":
        """Reads `04A1B2C3`, `04:A1:B2:C3` or `04 a1 b2 c3`; raises ReaderError for anything else."""
        try:
            return cls(bytes.fromhex(text.replace(":", " ").replace("-", " ")))
        except ValueError:
            raise ReaderError("Not a UID in hexadecimal") from None

    def hex(self) -> str:
        """Upper-case hexadecimal without separators: the form the trail keeps."""
        return self.value.hex().upper()

    @property
    def is_random(self) -> bool:
        """True for an identifier made anew for each tap (first byte 08; ISO/IEC 14443-3 6.5.4), at any length."""
        return self.value[0] == RANDOM_FIRST_BYTE

    @property
    def is_valid(self) -> bool:
        """False for identifiers that no card may carry: a cascade tag first, all zeros, all ones."""
        if len(self.value) == 4 and self.value[0] == CASCADE_TAG:
            return False
        return self.value not in (bytes(len(self.value)), b"\xff" * len(self.value))

    @property
    def masked(self) -> str:
        """The last two bytes only: enough to tell two badges apart on a screen, too little to clone one."""
        return "…" + self.value[-2:].hex().upper()

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"Uid({self.masked})"
