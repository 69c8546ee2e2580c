"""Planned instances as DICOM data sets (PS3.3 A.2, A.3, A.4, A.6, A.7, A.35.1)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from kiosk.demo.pictures import pixels
from kiosk.demo.plans import (
    BASIC_TEXT_SR,
    CR_IMAGE,
    CT_IMAGE,
    MR_IMAGE,
    US_IMAGE,
    US_MULTIFRAME_IMAGE,
    InstancePlan,
    SeriesPlan,
    StudyPlan,
    demo_uid,
)
from kiosk.demo.report import add_report

IMPLEMENTATION_CLASS_UID: Final = demo_uid("implementation")


def data_set(study: StudyPlan, series: SeriesPlan, instance: InstancePlan) -> Dataset:
    """The whole object, pixels included, with its file meta information."""
    result = Dataset()
    result.file_meta = FileMetaDataset()
    result.file_meta.MediaStorageSOPClassUID = instance.sop_class_uid
    result.file_meta.MediaStorageSOPInstanceUID = instance.sop_instance_uid
    result.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    result.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    result.SpecificCharacterSet = list(study.patient.character_set)
    result.SOPClassUID = instance.sop_class_uid
    result.SOPInstanceUID = instance.sop_instance_uid
    _add_study(result, study)
    _add_series(result, study, series)
    result.InstanceNumber = "" if instance.number is None else str(instance.number)
    if instance.sop_class_uid == BASIC_TEXT_SR:
        add_report(result, study)
    else:
        _add_image(result, study, series, instance)
    if study.remarks:
        _add_remarks(result, study.remarks)
    return result


def _add_remarks(result: Dataset, remarks: Sequence[tuple[str, str]]) -> None:
    """On the first level, in an item of a sequence, and in a private block."""
    item = Dataset()
    for keyword, text in remarks:
        setattr(result, keyword, text)
        setattr(item, keyword, text)
    result.RequestAttributesSequence = [item]
    _, text = remarks[0]
    result.private_block(0x0009, text, create=True).add_new(1, "LO", text)


def _add_study(result: Dataset, study: StudyPlan) -> None:
    patient = study.patient
    result.PatientName = patient.name
    result.PatientID = patient.patient_id
    result.IssuerOfPatientID = patient.issuer
    result.PatientBirthDate = f"{patient.birth_date:%Y%m%d}"
    result.PatientSex = patient.sex
    result.StudyInstanceUID = study.study_instance_uid
    result.StudyID = study.study_id
    result.StudyDate = f"{study.date:%Y%m%d}"
    result.StudyTime = f"{study.time:%H%M%S}"
    result.AccessionNumber = study.accession_number
    result.StudyDescription = study.description
    result.ReferringPhysicianName = patient.referring_physician
    age = (study.date - patient.birth_date).days // 365
    result.PatientAge = f"{max(age, 0) % 1000:03d}Y"


def _add_series(result: Dataset, study: StudyPlan, series: SeriesPlan) -> None:
    result.Modality = series.modality
    result.SeriesInstanceUID = series.series_instance_uid
    result.SeriesNumber = str(series.number)
    result.SeriesDescription = series.description
    result.SeriesDate = f"{study.date:%Y%m%d}"
    result.SeriesTime = f"{study.time:%H%M%S}"
    result.Manufacturer = "Arithmetic Imaging"
    result.ManufacturerModelName = "Ellipsoid 3"
    result.InstitutionName = "Demo Hospital"
    result.StationName = f"DEMO{series.modality}1"
    if series.modality != "SR":
        result.BodyPartExamined = series.body_part
        result.ProtocolName = series.description


def _add_image(result: Dataset, study: StudyPlan, series: SeriesPlan, instance: InstancePlan) -> None:
    taken = datetime.combine(study.date, study.time) + timedelta(seconds=series.number * 40)
    result.AcquisitionDate = result.ContentDate = f"{taken:%Y%m%d}"
    result.AcquisitionTime = result.ContentTime = f"{taken:%H%M%S}"
    result.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER" if instance.localiser else _third_image_type(instance)]
    result.PatientOrientation = list(instance.patient_orientation) or ""
    if instance.plane is not None:
        plane = instance.plane
        result.FrameOfReferenceUID = demo_uid(study.study_instance_uid, "frame of reference")
        result.PositionReferenceIndicator = ""
        result.ImagePositionPatient = [f"{part:.4f}" for part in plane.position]
        result.ImageOrientationPatient = [f"{part:.8f}" for part in plane.orientation]
        result.PixelSpacing = [f"{part:.4f}" for part in plane.spacing]
        result.SliceThickness = "5.0" if series.modality == "CT" else "8.0"
    if series.window is not None:
        result.WindowCenter, result.WindowWidth = (f"{part:g}" for part in series.window)
    _add_modality(result, instance)
    _add_pixels(result, study, instance)


def _third_image_type(instance: InstancePlan) -> str:
    return {CT_IMAGE: "AXIAL", MR_IMAGE: "M"}.get(instance.sop_class_uid, "")


def _add_modality(result: Dataset, instance: InstancePlan) -> None:
    kind = instance.sop_class_uid
    if kind == CT_IMAGE:
        result.RescaleIntercept, result.RescaleSlope, result.RescaleType = "-1024", "1", "HU"
        result.KVP, result.AcquisitionNumber = "120", "1"
    elif kind == MR_IMAGE:
        result.ScanningSequence, result.SequenceVariant, result.ScanOptions = "GR", "SS", ""
        result.MRAcquisitionType, result.RepetitionTime, result.EchoTime = "2D", "3.2", "1.6"
        result.EchoTrainLength = "1"
        if instance.trigger_time is not None:
            result.TriggerTime = f"{instance.trigger_time:g}"
    elif kind == CR_IMAGE:
        result.ViewPosition = "PA" if instance.subject == "chest PA" else "LL"
        result.ImagerPixelSpacing = ["1.2", "1.2"]
    elif kind == US_MULTIFRAME_IMAGE:
        result.NumberOfFrames = str(instance.frames)
        result.FrameTime = "66.7"
        result.FrameIncrementPointer = 0x00181063
    if kind in (US_IMAGE, US_MULTIFRAME_IMAGE):
        result.LossyImageCompression = "00"


def _add_pixels(result: Dataset, study: StudyPlan, instance: InstancePlan) -> None:
    stored = pixels(instance, study.severity)
    if instance.sop_class_uid == CT_IMAGE and stored.dtype == np.int16:
        # Hounsfield units are kept with an offset, as scanners do.
        stored = (stored.astype(np.int32) + 1024).astype(np.uint16)
    colour = stored.ndim == 3 and instance.frames == 1
    result.SamplesPerPixel = 3 if colour else 1
    result.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        result.PlanarConfiguration = 0
    result.Rows, result.Columns = instance.rows, instance.columns
    bits = 8 * stored.dtype.itemsize
    result.BitsAllocated = bits
    result.BitsStored = bits if bits == 8 else 12
    result.HighBit = result.BitsStored - 1
    result.PixelRepresentation = 0
    if bits == 16:
        stored = stored.astype("<u2")
    data = stored.tobytes()
    result.PixelData = data + b"\0" * (len(data) % 2)
    result["PixelData"].VR = "OW" if bits == 16 else "OB"
