"""What a node was sent: enough of each object to check a delivery, and none of its pixels."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import BinaryIO

from kiosk.demo.archive.matching import Value, matches
from kiosk.imaging.studies.attributes import collect
from kiosk.imaging.studies.elements import PIXEL_DATA, Walk
from kiosk.imaging.studies.syntaxes import EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

_KEPT = {
    0x00080016: "SOPClassUID",
    0x00080018: "SOPInstanceUID",
    0x00080050: "AccessionNumber",
    0x00080060: "Modality",
    0x00100020: "PatientID",
    0x0020000D: "StudyInstanceUID",
    0x0020000E: "SeriesInstanceUID",
    0x00200011: "SeriesNumber",
    0x00200013: "InstanceNumber",
}


class Shelf:
    """Attributes of received objects by SOP Instance UID. Methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: dict[str, dict[str, Value]] = {}

    def put(self, data: BinaryIO, size: int, transfer_syntax_uid: str) -> None:
        """Keeps an encoded data set's identifying attributes. Raises UnreadableObject when it does not parse."""
        walk = Walk(
            data,
            0,
            size,
            explicit=transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN,
            little=transfer_syntax_uid != EXPLICIT_VR_BIG_ENDIAN,
            wanted=lambda tag, depth: depth == 0 and tag in _KEPT,
            stop_at=PIXEL_DATA,
        )
        attributes = collect(walk)
        row: dict[str, Value] = {name: attributes.text(tag) for tag, name in _KEPT.items()}
        with self._lock:
            self._rows[str(row["SOPInstanceUID"])] = row

    def find(self, keys: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Value]]:
        """Rows at IMAGE level."""
        with self._lock:
            rows = list(self._rows.values())
        return (row for row in rows if matches(row, keys))

    def find_series(self, keys: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Value]]:
        """Rows at SERIES level, with the count of what has been received of each."""
        with self._lock:
            rows = list(self._rows.values())
        counts = Counter(str(row["SeriesInstanceUID"]) for row in rows)
        series = {str(row["SeriesInstanceUID"]): row for row in rows}
        counted = (row | {"NumberOfSeriesRelatedInstances": str(counts[uid])} for uid, row in series.items())
        return (row for row in counted if matches(row, keys))
