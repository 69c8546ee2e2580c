"""The UIDs and the patient at the front of a data set: what an object says it is, without decoding the rest."""

import re
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO, Final

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.elements import CHARACTER_SET, BrokenDataSet, Walk, flat_elements
from kiosk.imaging.studies.model import PatientKey
from kiosk.imaging.studies.syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from kiosk.imaging.studies.values import DEFAULT_ENCODINGS, encodings_of, text_values
from readers.text import safe_text

SOP_CLASS_UID: Final = 0x00080016
SOP_INSTANCE_UID: Final = 0x00080018
PATIENT_ID: Final = 0x00100020
ISSUER_OF_PATIENT_ID: Final = 0x00100021
STUDY_INSTANCE_UID: Final = 0x0020000D
SERIES_INSTANCE_UID: Final = 0x0020000E
INFLATED_FRONT: Final = 1 << 20
FRONT: Final = 16 * 1024
_OTHERWISE_WRITTEN: Final = frozenset({DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN})
_REMEMBERED: Final = 8

_UIDS: Final = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID})
_TEXTS: Final = frozenset({PATIENT_ID, ISSUER_OF_PATIENT_ID})
_FLAT_VRS: Final = {CHARACTER_SET: b"CS"} | dict.fromkeys(_UIDS, b"UI") | dict.fromkeys(_TEXTS, b"LO")
_VALID_UID: Final = re.compile(r"[0-9.]{1,64}\Z")


@dataclass(frozen=True)
class Identity:
    """The UIDs and the patient of an object as its data set has them; empty where it has none."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient: PatientKey = field(default_factory=PatientKey)


def is_uid(text: str) -> bool:
    """True for digits and dots, at most 64 (PS3.5 9.1); leading zeros are let pass, archives hold such."""
    return _VALID_UID.match(text) is not None


def read_identity(stream: BinaryIO, start: int, transfer_syntax_uid: str) -> Identity:
    """Reads up to Series Instance UID (0020,000E) of the data set at `start`; raises UnreadableObject."""
    if transfer_syntax_uid == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        front = _inflated_front(stream, start)
        return _read(front, 0, len(front.getbuffer()), transfer_syntax_uid)
    size = stream.seek(0, 2) - start
    stream.seek(start)
    # One look at the disk instead of two for each element: what is asked for is hardly ever further in.
    try:
        return _read(BytesIO(stream.read(FRONT)), 0, size, transfer_syntax_uid)
    except BrokenDataSet:
        if size <= FRONT:
            raise
        return _read(stream, start, start + size, transfer_syntax_uid)


class Fronts:
    """Reads what one transfer's objects begin with, before the rest of them has come."""

    def __init__(self) -> None:
        self._texts: dict[tuple[bytes, tuple[str, ...]], str] = {}

    def identity(self, front: bytes, transfer_syntax_uid: str) -> Identity | None:
        """What `read_identity` would say of the object that begins so; None where that needs a closer look."""
        if transfer_syntax_uid in _OTHERWISE_WRITTEN:
            return None
        values = _flat_values(front, explicit=transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN)
        if values is None:
            return None
        encodings = encodings_of(values[CHARACTER_SET]) if CHARACTER_SET in values else DEFAULT_ENCODINGS
        uids = {tag: value.decode("latin-1").strip("\0 ") for tag, value in values.items() if tag in _UIDS}
        texts = {tag: self._text(value, encodings) for tag, value in values.items() if tag in _TEXTS}
        return Identity(
            uids.get(SOP_CLASS_UID, ""),
            uids.get(SOP_INSTANCE_UID, ""),
            uids.get(STUDY_INSTANCE_UID, ""),
            uids.get(SERIES_INSTANCE_UID, ""),
            PatientKey(texts.get(PATIENT_ID, ""), texts.get(ISSUER_OF_PATIENT_ID, "")),
        )

    def _text(self, value: bytes, encodings: tuple[str, ...]) -> str:
        """A study's objects say the same one after the other, and pydicom takes its time."""
        known = self._texts.get((value, encodings))
        if known is None:
            if len(self._texts) >= _REMEMBERED:
                self._texts.clear()
            known = self._texts[value, encodings] = _first_text(value, encodings)
        return known


def _flat_values(front: bytes, *, explicit: bool) -> dict[int, bytes] | None:
    """The values of little-endian elements up to Series Instance UID; None unless they are as plain as can be."""
    found = flat_elements(front, explicit=explicit, last=SERIES_INSTANCE_UID)
    if found is None:
        return None
    wanted = [element for element in found if element[0] in _FLAT_VRS]
    if explicit and any(vr != _FLAT_VRS[tag] for tag, vr, _, _ in wanted):
        return None
    return {tag: front[start : start + min(length, 256)] for tag, _, start, length in wanted}


def _first_text(value: bytes, encodings: tuple[str, ...]) -> str:
    return next((safe for safe in map(safe_text, text_values(value, "LO", encodings)) if safe), "")


def _read(stream: BinaryIO, start: int, end: int, transfer_syntax_uid: str) -> Identity:
    values = dict.fromkeys(_UIDS | _TEXTS, "")
    walk = Walk(
        stream,
        start,
        end,
        explicit=transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN,
        little=transfer_syntax_uid != EXPLICIT_VR_BIG_ENDIAN,
        wanted=lambda tag, depth: depth == 0 and tag in values,
        value_limit=256,
    )
    for element in walk:
        if element.depth:
            continue
        if element.tag > SERIES_INSTANCE_UID:
            break
        if element.value is None:
            continue
        if element.tag in _TEXTS:
            values[element.tag] = _first_text(element.value, element.encodings)
        elif element.tag in _UIDS:
            values[element.tag] = element.value.decode("latin-1").strip("\0 ")
    return Identity(
        values[SOP_CLASS_UID],
        values[SOP_INSTANCE_UID],
        values[STUDY_INSTANCE_UID],
        values[SERIES_INSTANCE_UID],
        PatientKey(values[PATIENT_ID], values[ISSUER_OF_PATIENT_ID]),
    )


def _inflated_front(stream: BinaryIO, start: int) -> BytesIO:
    """The first megabyte of a deflated data set: enough for its UIDs, too little for a bomb."""
    stream.seek(start)
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        return BytesIO(inflater.decompress(stream.read(INFLATED_FRONT), INFLATED_FRONT))
    except zlib.error as error:
        raise UnreadableObject("The object says it is deflated and is not.") from error


__all__ = ["FRONT", "BrokenDataSet", "Fronts", "Identity", "is_uid", "read_identity"]
