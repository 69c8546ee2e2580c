"""Objects written anew for peers that do not take their transfer syntax: what was in them stays in them."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from kiosk.errors import UnreadableObject
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.transcode import transcode
from tests.peers import ct_instance

PIXELS = np.random.default_rng(1).integers(0, 4096, (32, 32), dtype=np.uint16)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    return spool


def rewritten(spool: Spool, path: Path, syntax: str) -> Dataset:
    with spool.create() as file:
        transcode(path, syntax, file)
        name = file.commit()
    return pydicom.dcmread(spool.path(name))


def stored(folder: Path, dataset: Dataset) -> Path:
    path = folder / "object.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("target", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_what_was_compressed_without_loss_comes_out_as_it_went_in(
    syntax: str, target: str, spool: Spool, tmp_path: Path
) -> None:
    dataset = ct_instance(PixelData=PIXELS.tobytes(), PatientName="Größe^Änne", SpecificCharacterSet="ISO_IR 100")
    dataset.compress(syntax, generate_instance_uid=False)
    again = rewritten(spool, stored(tmp_path, dataset), target)
    assert again.file_meta.TransferSyntaxUID == target
    assert again.SOPInstanceUID == again.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert (again.pixel_array == PIXELS).all()
    assert "LossyImageCompression" not in again
    assert str(again.PatientName) == "Größe^Änne"


def test_what_lost_something_goes_on_saying_so(spool: Spool, tmp_path: Path) -> None:
    dataset = ct_instance(PixelData=PIXELS.tobytes())
    dataset.compress(JPEG2000, j2k_psnr=[40], generate_instance_uid=False)
    path = stored(tmp_path, dataset)
    decoded = pydicom.dcmread(path).pixel_array
    again = rewritten(spool, path, ExplicitVRLittleEndian)
    assert (again.pixel_array == decoded).all()
    assert again.LossyImageCompression == "01"
    assert again.SOPInstanceUID == dataset.SOPInstanceUID


@pytest.mark.parametrize("name", ["MR_small_bigendian.dcm", "image_dfl.dcm", "MR_small_implicit.dcm"])
@pytest.mark.parametrize("target", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_native_objects_keep_every_value(name: str, target: str, spool: Spool) -> None:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    before = pydicom.dcmread(path)
    again = rewritten(spool, Path(path), target)
    assert before.file_meta.TransferSyntaxUID in (
        ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian,
    )  # fmt: skip
    assert (again.pixel_array == before.pixel_array).all()
    assert [element.tag for element in again] == [element.tag for element in before]
    texts = [element for element in before if element.VR not in ("OW", "OB", "UN", "SQ")]
    assert [again[element.tag].value for element in texts] == [element.value for element in texts]


def test_nothing_is_ever_compressed(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(UnreadableObject, match="without compression"):
        rewritten(spool, stored(tmp_path, ct_instance()), JPEG2000Lossless)


def test_a_codestream_that_cannot_be_decoded_is_named(spool: Spool, tmp_path: Path) -> None:
    dataset = ct_instance(PixelData=PIXELS.tobytes())
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    raw = bytearray(stream.getvalue())
    start = raw.index(b"\xff\x4f\xff\x51")
    raw[start + 4 : start + 60] = bytes(56)
    path = tmp_path / "broken.dcm"
    path.write_bytes(raw)
    with pytest.raises(UnreadableObject, match="JPEG 2000 Lossless to Explicit VR Little Endian"):
        rewritten(spool, path, ExplicitVRLittleEndian)
    assert list(spool.folder.iterdir()) == []
