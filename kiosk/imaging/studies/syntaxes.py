"""Transfer syntaxes and SOP classes in words, from the registry of PS3.6 Annex A."""

from typing import Final

from pydicom.uid import UID_dictionary

IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"

NATIVE: Final = frozenset(
    {
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
    }
)

# What an instance may be written in anew for a peer that refuses its own syntax: nothing is ever compressed for that.
ALTERNATIVES: Final = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)

_LOSSY: Final = frozenset(
    {*(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, 91, 93, 112, 203)), "1.2.840.10008.1.2.4.205"}
)

_SHORT_NAMES: Final = {
    IMPLICIT_VR_LITTLE_ENDIAN: "Implicit VR Little Endian",
    EXPLICIT_VR_LITTLE_ENDIAN: "Explicit VR Little Endian",
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: "Deflated Explicit VR Little Endian",
    EXPLICIT_VR_BIG_ENDIAN: "Explicit VR Big Endian",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.51": "JPEG Extended",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless SV1",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-Lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.201": "HTJ2K Lossless",
    "1.2.840.10008.1.2.4.202": "HTJ2K Lossless RPCL",
    "1.2.840.10008.1.2.4.203": "HTJ2K",
    "1.2.840.10008.1.2.5": "RLE Lossless",
}


def _registered(uid: str, kind: str) -> str | None:
    entry = UID_dictionary.get(uid)
    return entry[0] if entry is not None and entry[1] == kind else None


def transfer_syntax_name(uid: str) -> str:
    """The name people use for a transfer syntax; the UID itself when it is not registered, a word when empty."""
    if not uid:
        return "unknown transfer syntax"
    return _SHORT_NAMES.get(uid) or _registered(uid, "Transfer Syntax") or uid


def sop_class_name(uid: str) -> str:
    """The name of a SOP class without the word Storage, which every stored object would carry; the UID when unknown."""
    if not uid:
        return "unknown object"
    name = _registered(uid, "SOP Class")
    if name is None:
        return uid
    return name.replace(" Storage", "", 1)


def is_encapsulated(transfer_syntax_uid: str) -> bool:
    """True where pixel data is fragments (PS3.5 A.4): every registered syntax but the native four, private ones too."""
    return transfer_syntax_uid not in NATIVE


def is_lossy(transfer_syntax_uid: str) -> bool:
    """True where pixel data may have lost something when they were compressed (PS3.5 A.4)."""
    return transfer_syntax_uid in _LOSSY


def alternatives(transfer_syntax_uid: str) -> tuple[str, ...]:
    """The native syntaxes that an instance of this one can be written in anew, the better one first."""
    return tuple(syntax for syntax in ALTERNATIVES if syntax != transfer_syntax_uid)
