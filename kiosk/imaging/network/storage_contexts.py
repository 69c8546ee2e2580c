"""Presentation contexts to receive instances in, so that an archive sends each object as it holds it (PS3.8 9.3.2.2).

An archive may choose only one of the transfer syntaxes of a context: one context each leaves it nothing to convert.
"""

from collections.abc import Iterable
from typing import Final

from pynetdicom.presentation import StoragePresentationContexts

from kiosk.imaging.network.association import MAXIMUM_CONTEXTS, Context
from kiosk.imaging.studies.syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

UNCOMPRESSED: Final = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)
COMPRESSED: Final = (
    *(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81, 90, 91)),
    "1.2.840.10008.1.2.5",
    *(f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203, 100, 101, 102, 103, 107, 108, 110)),
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
)
# The room besides the C-GET context itself.
ROOM: Final = MAXIMUM_CONTEXTS - 1
CLASSES_APART: Final = ROOM // len((*UNCOMPRESSED, *COMPRESSED))
"""Of how many classes an association has room for each transfer syntax by itself."""

_CLASSES: Final = {
    "CR": ("1",),
    "CT": ("2", "2.1"),
    "DX": ("1.1", "1.1.1"),
    "KO": ("88.59",),
    "MG": ("1.2", "13.1.3"),
    "MR": ("4", "4.1"),
    "NM": ("20",),
    "OT": ("7", "7.4", "7.2"),
    "PR": ("11.1", "11.2"),
    "PT": ("128", "130"),
    "RF": ("12.2", "12.1"),
    "SC": ("7", "7.4", "7.2"),
    "SEG": ("66.4",),
    "SR": ("88.11", "88.22", "88.33", "88.34", "88.67"),
    "US": ("6.1", "3.1"),
    "XA": ("12.1", "12.1.1"),
}


def contexts_for(sop_class_uids: Iterable[str]) -> list[Context]:
    """Contexts for known classes: each transfer syntax by itself while there is room for that."""
    classes = sorted(set(sop_class_uids))
    apart = [(syntax,) for syntax in (*UNCOMPRESSED, *COMPRESSED)]
    together: list[tuple[str, ...]] = [UNCOMPRESSED, COMPRESSED]
    anything: list[tuple[str, ...]] = [(*UNCOMPRESSED, *COMPRESSED)]
    for groups in (apart, together, anything):
        if len(classes) * len(groups) <= ROOM:
            break
    return [_context(sop_class, group) for sop_class in classes[:ROOM] for group in groups]


def contexts_for_modality(*modalities: str) -> list[Context]:
    """Contexts where the archive does not tell SOP classes: the modalities' own in full, others in what is left."""
    likely = [sop_class for modality in modalities for sop_class in sorted(likely_classes(modality))]
    contexts = contexts_for(likely)
    common = [_storage(suffix) for suffixes in _CLASSES.values() for suffix in suffixes]
    registered = [str(context.abstract_syntax) for context in StoragePresentationContexts]
    others = [sop_class for sop_class in dict.fromkeys((*common, *registered)) if sop_class not in likely]
    anything = (*UNCOMPRESSED, *COMPRESSED)
    return contexts + [_context(sop_class, anything) for sop_class in others[: ROOM - len(contexts)]]


def likely_classes(modality: str) -> frozenset[str]:
    """The SOP classes that a series of this modality may well be of; none for one that is not known here."""
    return frozenset(_storage(suffix) for suffix in _CLASSES.get(modality, ()))


def _storage(suffix: str) -> str:
    return f"1.2.840.10008.5.1.4.1.1.{suffix}"


def _context(sop_class_uid: str, transfer_syntaxes: tuple[str, ...]) -> Context:
    return Context(sop_class_uid, transfer_syntaxes, as_scp=True)
