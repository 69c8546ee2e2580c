"""Series made for the judges of order, and what dcm2niix and highdicom say of them."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from highdicom.spatial import get_series_volume_positions
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from kiosk.imaging.studies.model import SeriesContents
from kiosk.imaging.studies.order import read_series
from tests.kiosk.imaging.studies.files import SERIES, image, save

COUNT = 10
SPACING = 2.0
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
CORONAL = [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]
DCM2NIIX = Path(sys.executable).with_name("dcm2niix")


def slice_of(place: float, number: int | None, value: int, **attributes: Any) -> Dataset:
    """An axial CT slice at `place` mm; every pixel of its lower half is `value`."""
    pixels = np.zeros((32, 32), np.int16)
    pixels[16:] = value
    attributes = {
        "ImagePositionPatient": [0.0, 0.0, place], "ImageOrientationPatient": AXIAL, "AcquisitionNumber": 1,
        "AcquisitionTime": "080000", "ContentTime": "080000", "Manufacturer": "ACME",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], **attributes,
    }  # fmt: skip
    dataset = image(
        pixels, Modality="CT", PatientName="Judge^Order", PatientID="J-1", StudyDate="20260301",
        StudyTime="080000", SeriesDate="20260301", SeriesTime="080000",
        StudyInstanceUID=SERIES.study_instance_uid, FrameOfReferenceUID="1.2.3.99", SeriesNumber=1, StudyID="1",
        AccessionNumber="", SeriesDescription="judged", ProtocolName="judged", PixelSpacing=[1.0, 1.0],
        SliceThickness=SPACING, KVP="120", RescaleSlope=1, RescaleIntercept=0, PatientPosition="HFS", **attributes,
    )  # fmt: skip
    dataset.InstanceNumber = number
    if number is None:
        del dataset.InstanceNumber
    return dataset


@dataclass(frozen=True)
class Judgement:
    """What each made of the same files: `order` are our instances by the value of their pixels."""

    ours: SeriesContents
    order: tuple[int, ...]
    niix_said: str
    niix_volumes: tuple[tuple[int, ...], ...]
    volume_positions: tuple[float, list[int]] | None
    missing_allowed: tuple[float, list[int]] | None
    duplicates_allowed: tuple[float, list[int]] | None


def judge(datasets: Sequence[Dataset], folder: Path) -> Judgement:
    """Saves the data sets in the order given, lets everybody look."""
    files = folder / "files"
    files.mkdir()
    values: dict[str, int] = {}
    for index, dataset in enumerate(datasets):
        path = save(dataset, files / f"{index:04}.dcm")
        values[path.name] = int(dataset.pixel_array.max())
    contents = read_series(SERIES, sorted(files.iterdir()))
    said, volumes = _dcm2niix(files, folder / "niix")
    return Judgement(
        contents,
        tuple(values[instance.file] for instance in contents.instances),
        said,
        volumes,
        _highdicom(datasets),
        _highdicom(datasets, allow_missing_positions=True),
        _highdicom(datasets, allow_duplicate_positions=True),
    )


def _highdicom(datasets: Sequence[Dataset], **options: bool) -> tuple[float, list[int]] | None:
    """Spacing and index of each file's slice, None where it is no volume."""
    if any("NumberOfFrames" in dataset for dataset in datasets):
        return None  # it judges single-frame images here
    spacing, positions = get_series_volume_positions(datasets, **options)
    return None if spacing is None or positions is None else (float(spacing), list(positions))


def _dcm2niix(files: Path, out: Path) -> tuple[str, tuple[tuple[int, ...], ...]]:
    """Its words, and for each NIfTI it wrote the value of every slice from the first to the last."""
    out.mkdir()
    done = subprocess.run(
        [str(DCM2NIIX), "-z", "n", "-b", "y", "-ba", "n", "-f", "out_%s", "-o", str(out), str(files)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    said = re.sub(re.escape(str(files)), "", done.stdout + done.stderr)
    return said, tuple(_nifti(path) for path in sorted(out.glob("*.nii")))


def _nifti(path: Path) -> tuple[int, ...]:
    data = path.read_bytes()
    dimensions = np.frombuffer(data, np.int16, 8, 40)
    kind, offset = int(np.frombuffer(data, np.int16, 1, 70)[0]), int(np.frombuffer(data, np.float32, 1, 108)[0])
    types: dict[int, Any] = {4: np.int16, 512: np.uint16, 16: np.float32, 2: np.uint8, 8: np.int32}
    shape = [int(size) for size in dimensions[1 : 1 + int(dimensions[0])]]
    pixels = np.frombuffer(data, types[kind], int(np.prod(shape)), offset).reshape(shape, order="F")
    planes = pixels.reshape(shape[0], shape[1], -1, order="F")
    return tuple(int(planes[:, :, index].max()) for index in range(planes.shape[2]))


def straight(number: Callable[[int], int | None] = lambda place: place + 1, **attributes: Any) -> list[Dataset]:
    """Ten slices, the value of each 100 and its place, numbered by `number`."""
    return [slice_of(SPACING * place, number(place), 100 + place, **attributes) for place in range(COUNT)]


def concatenation(parts: Sequence[tuple[int, int]]) -> list[Dataset]:
    """Parts of one enhanced CT image, each by its first frame and how many frames it has."""
    uid, made = generate_uid(), []
    for number, (first, count) in enumerate(parts, start=1):
        pixels = np.stack([np.full((8, 8), 100 + frame, np.int16) for frame in range(first, first + count)])
        dataset = image(
            pixels, NumberOfFrames=count, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", InstanceNumber=number,
            ConcatenationUID=uid, InConcatenationNumber=number, InConcatenationTotalNumber=len(parts),
            ConcatenationFrameOffsetNumber=first, SOPInstanceUIDOfConcatenationSource="1.2.3.77", Modality="CT",
            StudyInstanceUID=SERIES.study_instance_uid, FrameOfReferenceUID="1.2.3.99",
        )  # fmt: skip
        shared = Dataset()
        direction, measures = Dataset(), Dataset()
        direction.ImageOrientationPatient = AXIAL
        measures.PixelSpacing, measures.SliceThickness = [1.0, 1.0], SPACING
        shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [direction], [measures]
        dataset.SharedFunctionalGroupsSequence = [shared]
        dataset.PerFrameFunctionalGroupsSequence = [
            frame_group(SPACING * frame, frame + 1) for frame in range(first, first + count)
        ]
        made.append(dataset)
    return made


def frame_group(place: float | None, in_stack: int, stack: str = "1", **content: Any) -> Dataset:
    """The functional groups of one frame; without a place it has an In-Stack Position only."""
    own, inside = Dataset(), Dataset()
    inside.StackID, inside.InStackPositionNumber = stack, in_stack
    for name, value in content.items():
        setattr(inside, name, value)
    own.FrameContentSequence = [inside]
    if place is not None:
        where = Dataset()
        where.ImagePositionPatient = [0.0, 0.0, place]
        own.PlanePositionSequence = [where]
    return own


def sentences(judgement: Judgement) -> str:
    """All of our notes and findings."""
    report = judgement.ours.gaps
    findings = () if report is None else tuple(finding.sentence for finding in report.findings)
    return json.dumps([*judgement.ours.notes, *findings])
