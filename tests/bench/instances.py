"""Instances to move about in benches: series of CT, each time new ones."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom.uid import generate_uid

from kiosk.imaging.calls import ToSend
from kiosk.imaging.spool import Spool
from tests.peers import ct_instance

SIDES = {"ct": 512, "small": 79}
"""Rows and columns of 16 bits: 0.5 MB and 12.5 KB an instance."""


@contextmanager
def instances(kind: str, count: int, study_instance_uid: str = "") -> Iterator[tuple[Path, tuple[ToSend, ...]]]:
    """A folder with new instances of one series: what a receiver has already, it may take faster."""
    with TemporaryDirectory(prefix="bench-") as name:
        spool = Spool(Path(name), reserve=0)
        yield spool.folder, write_series(spool, kind, count, study_instance_uid or generate_uid())


def write_series(spool: Spool, kind: str, count: int, study_instance_uid: str) -> tuple[ToSend, ...]:
    """Instances of one series that differ in their SOP Instance UID alone."""
    side = SIDES[kind]
    first = ct_instance(Rows=side, Columns=side, PixelData=bytes(side * side * 2))
    first.StudyInstanceUID = study_instance_uid
    first.SOPInstanceUID = mould = _fresh_uid(0)
    stream = BytesIO()
    first.save_as(stream, enforce_file_format=True)
    encoded = stream.getvalue()
    front, rest = encoded[:4096], encoded[4096:]
    parts = front.split(mould.encode())
    return tuple(_written(spool, parts, rest, _fresh_uid(number), str(first.SOPClassUID)) for number in range(count))


def _fresh_uid(number: int) -> str:
    """Never given out before, and always of the same length."""
    return f"2.25.1{number:06}{secrets.randbelow(10**30):030}"


def _written(spool: Spool, parts: Sequence[bytes], rest: bytes, uid: str, sop_class_uid: str) -> ToSend:
    with spool.create() as file:
        file.write(uid.encode().join(parts))
        file.write(rest)
        size = file.size
        name = file.commit()
    return ToSend(uid, sop_class_uid, "1.2.840.10008.1.2.1", name, size)
