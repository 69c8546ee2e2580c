"""Patients and studies as the trail names them."""

from collections import Counter
from collections.abc import Iterable

from kiosk.audit import PatientRef, SopClassCount, StudyRef
from kiosk.imaging.studies.model import Patient, Study


def patient_ref(patient: Patient) -> PatientRef:
    """A patient is (Patient ID, Issuer); the name is the first component group that is there."""
    name = patient.name.alphabetic or patient.name.ideographic or patient.name.phonetic
    return PatientRef(patient.patient_id, patient.issuer, name)


def study_ref(study: Study, sop_class_uids: Iterable[str] = ()) -> StudyRef:
    """A study with how many instances of which SOP class were concerned; none counted when none are given."""
    counts = Counter(sop_class_uids)
    return StudyRef(
        study.study_instance_uid,
        study.accession_number,
        tuple(SopClassCount(uid, number) for uid, number in sorted(counts.items())),
    )
