"""A radiologist's report as Basic Text SR (PS3.3 A.35.1, C.17.2, C.17.3)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pydicom.dataset import Dataset

from kiosk.demo.plans import StudyPlan

_REPORT: Final = ("18748-4", "LN", "Diagnostic imaging report")
_HISTORY: Final = ("11329-0", "LN", "History")
_FINDINGS: Final = ("59776-5", "LN", "Findings")
_IMPRESSION: Final = ("19005-8", "LN", "Impression")


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue = value
    code.CodingSchemeDesignator = scheme
    code.CodeMeaning = meaning
    return code


def _text(concept: tuple[str, str, str], text: str) -> Dataset:
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "TEXT"
    item.ConceptNameCodeSequence = [_code(*concept)]
    item.TextValue = text
    return item


def _paragraphs(study: StudyPlan) -> Sequence[Dataset]:
    width = round(26 * study.severity)
    return (
        _text(_HISTORY, "Weakness of the right arm and leg since this morning."),
        _text(
            _FINDINGS,
            f"Hyperdense lesion in the left frontal lobe, {width} mm across. Ventricles of normal width, midline "
            "not displaced. No fracture.",
        ),
        _text(_IMPRESSION, f"Left frontal haemorrhage of {width} mm. Follow-up advised."),
    )


def _evidence(study: StudyPlan) -> Dataset:
    evidence = Dataset()
    evidence.StudyInstanceUID = study.study_instance_uid
    evidence.ReferencedSeriesSequence = []
    for series in study.series:
        if series.modality == "SR":
            continue
        referenced = Dataset()
        referenced.SeriesInstanceUID = series.series_instance_uid
        referenced.ReferencedSOPSequence = []
        for instance in series.instances:
            item = Dataset()
            item.ReferencedSOPClassUID = instance.sop_class_uid
            item.ReferencedSOPInstanceUID = instance.sop_instance_uid
            referenced.ReferencedSOPSequence.append(item)
        evidence.ReferencedSeriesSequence.append(referenced)
    return evidence


def add_report(result: Dataset, study: StudyPlan) -> None:
    """Adds the SR Document Series, General and Content Modules to a data set."""
    written = datetime.combine(study.date, study.time) + timedelta(hours=1)
    result.ReferencedPerformedProcedureStepSequence = []
    result.ContentDate = f"{written:%Y%m%d}"
    result.ContentTime = f"{written:%H%M%S}"
    result.CompletionFlag = "COMPLETE"
    result.VerificationFlag = "UNVERIFIED"
    result.PerformedProcedureCodeSequence = []
    result.CurrentRequestedProcedureEvidenceSequence = [_evidence(study)]
    result.ValueType = "CONTAINER"
    result.ConceptNameCodeSequence = [_code(*_REPORT)]
    result.ContinuityOfContent = "SEPARATE"
    result.ContentSequence = list(_paragraphs(study))
