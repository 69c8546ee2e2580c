"""Files that mean harm, made by code: each tells what it tries, none is kept anywhere."""

import random
import struct
import zlib
from collections.abc import Callable
from typing import Final

from pydicom.uid import RLELossless

from tests.kiosk.imaging.studies.files import bundled, element, part_10

DEFLATED: Final = "1.2.840.10008.1.2.1.99"
IMPLICIT: Final = "1.2.840.10008.1.2"
JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
CLASS: Final = b"1.2.840.10008.5.1.4.1.1.2\0"
POISON: Final = b"[/]\x1b[2J\x1b]52;c;eA==\x07\x9b31m\xe2\x80\xae../../../../etc/passwd\0end"
TEXT_VRS: Final = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
_ENDLESS: Final = 0xFFFFFFFF
_ITEM: Final = struct.pack("<HHI", 0xFFFE, 0xE000, _ENDLESS)
_SMALL_IMAGE: Final = (
    ("US", 0x0002, 1), ("US", 0x0010, 4), ("US", 0x0011, 4), ("US", 0x0100, 8), ("US", 0x0101, 8), ("US", 0x0102, 7),
    ("US", 0x0103, 0),
)  # fmt: skip


def identified(body: bytes, instance: bytes = b"1.2.3.4\0") -> bytes:
    """A data set that begins with who it is; `body` begins after group 0008."""
    who = element(8, 0x16, "UI", CLASS) + element(8, 0x18, "UI", instance)
    return who + element(0x20, 0xE, "UI", b"1.2.3.5\0") + body


def pictured(pixels: bytes, vr: str = "OW", length: int | None = None, frames: int = 1) -> bytes:
    """An image of 4 x 4 pixels with these for its pixel data, of a length that may be a lie."""
    body = element(0x28, 4, "CS", b"MONOCHROME2 ") + element(0x28, 8, "IS", f"{frames:<8}".encode())
    for kind, number, value in _SMALL_IMAGE:
        body += element(0x28, number, kind, struct.pack("<H", value))
    return identified(body + element(0x7FE0, 0x10, vr, pixels, length))


def _text(vr: str) -> bytes:
    if vr in ("UC", "UR"):
        return struct.pack("<HH2sHI", 0x11, 0x1001, vr.encode(), 0, len(POISON)) + POISON
    return element(0x11, 0x1001, vr, POISON)


def _nested(depth: int) -> bytes:
    """Sequences without an end, one in the other."""
    return (struct.pack("<HH2sHI", 0x40, 0xA730, b"SQ", 0, _ENDLESS) + _ITEM) * depth


def _fragments(offsets: tuple[int, ...], *fragments: bytes) -> bytes:
    table = struct.pack(f"<{len(offsets)}I", *offsets)
    parts = [table, *fragments]
    return b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(part)) + part for part in parts) + struct.pack(
        "<HHI", 0xFFFE, 0xE0DD, 0
    )


def _bomb(size: int) -> bytes:
    """A deflated data set that inflates to an element of that many zero bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = identified(struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, size))
    first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(b"\0" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return part_10(first + piece * (size >> 20) + packer.flush(), DEFLATED)


def _extended_offsets() -> bytes:
    """An Extended Offset Table (7FE0,0001) that points behind, before and at itself."""
    offsets = struct.pack("<3Q", 1 << 62, 0, 0)
    body = struct.pack("<HH2sHI", 0x7FE0, 1, b"OV", 0, len(offsets)) + offsets
    body += struct.pack("<HH2sHI", 0x7FE0, 2, b"OV", 0, len(offsets)) + offsets
    image = pictured(b"", frames=3)[:-12]
    data = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, _ENDLESS) + _fragments((), b"\0" * 64, b"\0" * 64)
    return part_10(image + body + data, str(RLELossless))


def _encapsulated(pixels: bytes, syntax: str, frames: int = 3) -> bytes:
    return part_10(pictured(pixels, "OB", _ENDLESS, frames), syntax)


def _rle_header(segments: int, *offsets: int) -> bytes:
    return struct.pack("<16I", segments, *offsets, *[0] * (15 - len(offsets)))


HOSTILE: Final[dict[str, Callable[[], bytes]]] = {
    "a deflate bomb of 3 GiB": lambda: _bomb(3 << 30),
    "a deflate bomb under the limit": lambda: _bomb(200 << 20),
    "a deflation that breaks": lambda: part_10(zlib.compress(identified(b"") * 40)[2:60], DEFLATED),
    "sequences 100,000 deep": lambda: part_10(identified(_nested(100_000))),
    "sequences 60 deep": lambda: part_10(identified(_nested(60))),
    "items without an end": lambda: part_10(
        identified(struct.pack("<HH2sHI", 0x40, 0xA730, b"SQ", 0, _ENDLESS) + _ITEM * 50_000)
    ),
    "an item in an item of implicit VR": lambda: part_10(
        identified(struct.pack("<HHI", 0x40, 0xA730, _ENDLESS) * 5_000), IMPLICIT
    ),
    "a value of 4 GiB announced": lambda: part_10(identified(element(0x28, 0x3010, "OB", b"x", 0xFFFFFFFE))),
    "pixels of 4 GiB announced": lambda: part_10(pictured(b"\0" * 16, "OW", 0xFFFFFFFE)),
    "a sequence longer than the file": lambda: part_10(identified(element(0x40, 0xA730, "SQ", b"", 1 << 31))),
    "meta information without an end": lambda: b"\0" * 128 + b"DICM" + element(2, 2, "OB", b"", 0xFFFFFFF0),
    "a meta group of its own length": lambda: (
        b"\0" * 128 + b"DICM" + element(2, 0, "UL", b"\xff\xff\xff\xff") + element(2, 0x10, "UI", b"1.2\0")
    ),
    "UIDs that are paths": lambda: part_10(
        element(8, 0x16, "UI", b"../../../etc/shadow\0") + element(8, 0x18, "UI", b"/etc/passwd\0")
        + element(0x20, 0xD, "UI", b"..\\..\\boot\0") + element(0x20, 0xE, "UI", b"~root/.ssh\0\0")
    ),
    "a transfer syntax that is a path": lambda: part_10(identified(b""), "../../lib/x.so"),
    "an escape in every text": lambda: part_10(
        element(8, 5, "CS", b"ISO_IR 192") + identified(element(0x11, 0x10, "LO", POISON))
        + b"".join(_text(vr) for vr in TEXT_VRS)
    ),
    "character sets that are codecs": lambda: part_10(
        element(8, 5, "CS", b"zlib\\idna\\unicode_escape\\rot13 ") + identified(element(0x10, 0x10, "PN", POISON))
    ),
    "1,000,000 elements": lambda: part_10(identified(element(0x11, 0x1001, "US", b"\1\0") * 1_000_000)),
    "1,000,000 items": lambda: part_10(
        identified(element(0x40, 0xA730, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 1_000_000))
    ),
    "1,000,000 values of one": lambda: part_10(identified(element(0x11, 0x1001, "UT", b"\\" * 1_000_000))),
    "200,000 fragments": lambda: _encapsulated(_fragments((), *[b"\0\0"] * 200_000), JPEG_BASELINE),
    "offsets that go round": lambda: _encapsulated(_fragments((0, 8, 0, 8), *[b"\0" * 8] * 3), JPEG_BASELINE, 4),
    "offsets behind the end": lambda: _encapsulated(_fragments((0, 1 << 30, 1 << 31), b"\0" * 64), str(RLELossless)),
    "extended offsets anywhere": _extended_offsets,
    "an RLE frame of offsets into itself": lambda: _encapsulated(
        _fragments((0,), _rle_header(15, *[0] * 15)), str(RLELossless), 1
    ),
    "an RLE frame of a thousand segments": lambda: _encapsulated(
        _fragments((0,), _rle_header(1000, 64, 64) + b"\x81\0" * 64), str(RLELossless), 1
    ),
    "two billion frames": lambda: part_10(pictured(b"\0" * 16, frames=2_147_483_647)),
    "an image of 65,535 x 65,535": lambda: part_10(
        pictured(b"\0" * 16).replace(element(0x28, 0x10, "US", b"\4\0"), element(0x28, 0x10, "US", b"\xff\xff"))
        .replace(element(0x28, 0x11, "US", b"\4\0"), element(0x28, 0x11, "US", b"\xff\xff"))
    ),
    "everything empty": lambda: part_10(
        b"".join(element(8, number, "UI", b"") for number in (0x16, 0x18)) + element(0x20, 0xE, "UI", b"")
        + b"".join(element(0x28, number, "US", b"") for number in (2, 0x10, 0x11, 0x100, 0x101, 0x102, 0x103))
        + element(0x7FE0, 0x10, "OW", b"")
    ),
    "nothing": lambda: b"",
    "a preamble and no more": lambda: b"\0" * 128 + b"DICM",
    "a prefix and no more": lambda: b"DICM",
}  # fmt: skip


def meddled(name: str, seed: int, count: int) -> list[bytes]:
    """A file that came with pydicom, `count` times with some bytes changed, cut out, doubled or cut off."""
    whole, dice = bundled(name).read_bytes(), random.Random(seed)
    found = []
    for _ in range(count):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            at = dice.randrange(min(len(data), 4096) if dice.random() < 0.8 else len(data))
            match dice.randrange(4):
                case 0:
                    data[at] = dice.randrange(256)
                case 1:
                    data[at : at + 4] = struct.pack("<I", dice.choice((0, 1, 0x7FFFFFFF, _ENDLESS, 0xFFFFFFFE)))
                case 2:
                    data[at : at + dice.randint(1, 64)] = b""
                case _:
                    data[at:at] = data[at : at + dice.randint(1, 64)]
        if dice.random() < 0.2:
            del data[dice.randrange(len(data)) :]
        found.append(bytes(data))
    return found
