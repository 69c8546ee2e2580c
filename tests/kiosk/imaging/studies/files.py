"""Files and headers for the tests of this room: made by pydicom where valid, byte by byte where not."""

import struct
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from kiosk.imaging.studies.geometry import Orientation, Vector
from kiosk.imaging.studies.header import Header
from kiosk.imaging.studies.model import Instance, Series

AXIAL: Orientation = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL: Orientation = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL: Orientation = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
SERIES = Series("1.2.3", "1.2.3.4", 1, "CT", "Axial", "HEAD", None)


def header(
    uid: int,
    number: int | None,
    position: float | Vector | None,
    orientation: Orientation | None = AXIAL,
    **more: Any,
) -> Header:
    """A header as the reader would give it; a position that is one number lies on the z axis."""
    place = (0.0, 0.0, float(position)) if isinstance(position, int | float) else position
    instance = Instance(
        sop_instance_uid=f"1.2.3.4.{uid}", sop_class_uid=str(CTImageStorage), sop_class_name="CT Image",
        series_instance_uid=SERIES.series_instance_uid, transfer_syntax_uid=str(ExplicitVRLittleEndian), number=number,
        rows=more.pop("rows", 16), columns=16, frames=1, position=place,
        orientation=orientation if place is not None else None, file=f"f{uid:05d}", size=1,
    )  # fmt: skip
    return Header(instance, **more)


def image(pixels: NDArray[Any], **attributes: Any) -> Dataset:
    """A data set with an image: shape (rows, columns), (frames, rows, columns) or (rows, columns, 3)."""
    result = Dataset()
    result.file_meta = FileMetaDataset()
    result.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    result.SOPClassUID = CTImageStorage
    result.SOPInstanceUID = generate_uid()
    result.SeriesInstanceUID = SERIES.series_instance_uid
    frames = int(attributes.get("NumberOfFrames", 1))
    colour = pixels.ndim == 4 or (pixels.ndim == 3 and frames == 1)
    shape = pixels.shape[1:] if frames > 1 else pixels.shape
    result.Rows, result.Columns = shape[0], shape[1]
    result.SamplesPerPixel = 3 if colour else 1
    result.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        result.PlanarConfiguration = 0
    result.BitsAllocated = result.BitsStored = 8 * pixels.dtype.itemsize
    result.HighBit = result.BitsStored - 1
    result.PixelRepresentation = int(pixels.dtype.kind == "i")
    for name, value in attributes.items():
        setattr(result, name, value)
    data = pixels.tobytes()
    result.PixelData = data + b"\0" * (len(data) % 2)
    result["PixelData"].VR = "OB" if result.BitsAllocated <= 8 else "OW"
    return result


def save(dataset: Dataset, path: Path) -> Path:
    """Writes a data set as a DICOM file."""
    if "file_meta" not in dataset.__dict__:
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path


def element(group: int, number: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    """One element in Explicit VR Little Endian, its length a lie when `length` is given."""
    size = len(value) if length is None else length
    if vr in ("OB", "OW", "SQ", "UN", "UT"):
        return struct.pack("<HH2sHI", group, number, vr.encode(), 0, size) + value
    return struct.pack("<HH2sH", group, number, vr.encode(), size) + value


def part_10(body: bytes, transfer_syntax_uid: str = str(ExplicitVRLittleEndian)) -> bytes:
    """A file of preamble, file meta information and the given bytes of a data set."""
    uid = transfer_syntax_uid.encode()
    meta = element(2, 0x10, "UI", uid + b"\0" * (len(uid) % 2))
    return b"\0" * 128 + b"DICM" + element(2, 0, "UL", struct.pack("<I", len(meta))) + meta + body


def bundled(name: str) -> Path:
    """A file that came with pydicom itself."""
    found = get_testdata_file(name, download=False)
    if found is None:
        pytest.fail(f"pydicom does not bring {name}")
    return Path(str(found))
