"""Opens a DICOM file: preamble or none, file meta information or none, plain or deflated (PS3.10 7, PS3.5 A.5)."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.attributes import collect
from kiosk.imaging.studies.elements import KNOWN_VRS, BrokenDataSet, Walk, everything
from kiosk.imaging.studies.syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

MAX_INFLATED: Final = 256 << 20
_CHUNK: Final = 1 << 20
_MAX_META: Final = 1 << 20


@dataclass(frozen=True)
class Source:
    """An open DICOM object. The data set lies in `stream` from `start` to `end`; `meta_start` to `meta_end` in `file`.

    `transfer_syntax_uid` is the one written in the file, or the one its bytes look like when none is written.
    `cut` is True when a deflated data set went on past the limit that was asked for. `breaks` says where the file
    breaks in a place that a walk cannot see, in its meta information or its deflation; empty where it does not.
    """

    file: BinaryIO
    stream: BinaryIO
    start: int
    end: int
    explicit: bool
    little: bool
    transfer_syntax_uid: str
    meta_start: int
    meta_end: int
    cut: bool = False
    breaks: str = ""

    def walk(
        self,
        wanted: Callable[[int, int], bool] = everything,
        value_limit: int = 1 << 20,
        stop_at: frozenset[int] = frozenset(),
    ) -> Walk:
        """A walk over the data set."""
        return Walk(
            self.stream,
            self.start,
            self.end,
            explicit=self.explicit,
            little=self.little,
            wanted=wanted,
            value_limit=value_limit,
            stop_at=stop_at,
        )

    def walk_meta(self, value_limit: int = 1 << 16) -> Walk:
        """A walk over the file meta information, always Explicit VR Little Endian (PS3.10 7.1)."""
        return _walk_meta(self.file, self.meta_start, self.meta_end, value_limit)


def _walk_meta(file: BinaryIO, start: int, end: int, value_limit: int = 1 << 16) -> Walk:
    return Walk(file, start, end, explicit=True, little=True, value_limit=value_limit, group=0x0002)


def _looks_like(head: bytes) -> tuple[bool, bool] | None:
    """(explicit, little) of a data set by its first bytes, None when it is no data set."""
    if len(head) < 8:
        return None
    explicit = head[4:6] in KNOWN_VRS
    little_group = int.from_bytes(head[:2], "little")
    big_group = int.from_bytes(head[:2], "big")
    # Data sets that stand alone begin with a low group; which way round tells the byte order.
    if 0 < little_group <= 0x0020:
        return explicit, True
    if explicit and 0 < big_group <= 0x0020:
        return True, False
    return None


def _begins(data: bytes) -> bool:
    """Whether a data set in Explicit VR Little Endian, or its meta information, stands at the front beyond doubt."""
    return data[:2] in (b"\x02\x00", b"\x08\x00") and data[3:4] == b"\0" and data[4:6] in KNOWN_VRS


def _meta_start(head: bytes) -> int:
    """Where the meta information, or the data set where there is none, begins.

    Preamble and prefix are left out by some writers, both or either; a stray byte in front was seen, too.
    """
    for start in (132, 4):
        if head[start - 4 : start] == b"DICM":
            return start
    if _looks_like(head) is None:
        return next((start for start in (128, 1) if _begins(head[start : start + 8])), 0)
    return 0


def _inflate(file: BinaryIO, limit: int) -> tuple[BytesIO, int, bool, str]:
    """The inflated rest of the file and its size, at most `limit` bytes; whether more would come; where it breaks."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated, size = BytesIO(), 0
    try:
        while not inflater.eof:
            data = inflater.unconsumed_tail or file.read(_CHUNK)
            if not data:
                break
            part = inflater.decompress(data, min(_CHUNK, limit - size + 1))
            inflated.write(part[: limit - size])
            size += len(part)
            if size > limit:
                return inflated, limit, True, ""
    except zlib.error:
        if not size:
            raise UnreadableObject("The deflated data set of this object cannot be inflated.") from None
        return inflated, size, False, f"The deflated data set breaks off after {size} bytes."
    return inflated, size, False, "" if inflater.eof else f"The deflated data set ends early, after {size} bytes."


@contextmanager
def open_object(
    path: Path, inflate_limit: int = MAX_INFLATED, *, cut_allowed: bool = False, broken_allowed: bool = False
) -> Iterator[Source]:
    """Opens a spooled file. A deflated data set is inflated to at most `inflate_limit` bytes and no further.

    Raises UnreadableObject when it is no DICOM, deflated beyond the limit unless `cut_allowed`, or broken in its file
    meta information unless `broken_allowed`: then there is no data set, and a walk over the meta group breaks.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableObject(f"The object's file cannot be opened: {error.strerror}.") from None
    with file:
        yield _examine(file, inflate_limit, cut_allowed, broken_allowed)


def _examine(file: BinaryIO, inflate_limit: int, cut_allowed: bool, broken_allowed: bool) -> Source:
    size = file.seek(0, 2)
    file.seek(0)
    meta_start = _meta_start(file.read(256))
    file.seek(meta_start)
    group = file.read(2)
    meta_end = meta_start
    syntax = ""
    if group == b"\x02\x00":
        walk = _walk_meta(file, meta_start, min(size, meta_start + _MAX_META))
        try:
            syntax = collect(walk).text(0x00020010)
        except BrokenDataSet as error:
            if not broken_allowed:
                raise UnreadableObject(f"The file meta information is broken: {error}") from None
            end = min(size, meta_start + _MAX_META)
            return Source(file, BytesIO(), 0, 0, True, True, syntax, meta_start, end, breaks=str(error))
        meta_end = walk.position
    file.seek(meta_end)
    look = _looks_like(file.read(8))
    if syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        file.seek(meta_end)
        data, length, cut, breaks = _inflate(file, inflate_limit)
        if cut and not cut_allowed:
            raise UnreadableObject(
                f"The deflated data set is larger than {inflate_limit >> 20} MiB when inflated and was not read."
            )
        return Source(file, data, 0, length, True, True, syntax, meta_start, meta_end, cut, breaks)
    if look is None and not syntax:
        raise UnreadableObject("This file is not a DICOM object.")
    explicit, little = _declared(syntax) if look is None else look
    if not syntax:
        syntax = _guessed(explicit, little)
    return Source(file, file, meta_end, size, explicit, little, syntax, meta_start, meta_end)


def _declared(syntax: str) -> tuple[bool, bool]:
    return syntax != IMPLICIT_VR_LITTLE_ENDIAN, syntax != EXPLICIT_VR_BIG_ENDIAN


def _guessed(explicit: bool, little: bool) -> str:
    if not little:
        return EXPLICIT_VR_BIG_ENDIAN
    return EXPLICIT_VR_LITTLE_ENDIAN if explicit else IMPLICIT_VR_LITTLE_ENDIAN
