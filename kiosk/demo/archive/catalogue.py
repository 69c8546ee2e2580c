"""The plans as rows that C-FIND answers from, at study, series and image level (PS3.4 C.6.2)."""

from collections.abc import Iterator, Mapping, Sequence

from kiosk.demo.archive.matching import Value, matches
from kiosk.demo.plans import InstancePlan, SeriesPlan, StudyPlan

Row = dict[str, Value]
Found = tuple[StudyPlan, SeriesPlan, InstancePlan]


def study_row(study: StudyPlan, ae_title: str) -> Row:
    """Attributes of a study, counts included."""
    patient = study.patient
    classes = {instance.sop_class_uid for series in study.series for instance in series.instances}
    return {
        "PatientName": patient.name,
        "PatientID": patient.patient_id,
        "IssuerOfPatientID": patient.issuer,
        "PatientBirthDate": f"{patient.birth_date:%Y%m%d}",
        "PatientSex": patient.sex,
        "StudyInstanceUID": study.study_instance_uid,
        "StudyID": study.study_id,
        "StudyDate": f"{study.date:%Y%m%d}",
        "StudyTime": f"{study.time:%H%M%S}",
        "AccessionNumber": study.accession_number,
        "StudyDescription": study.description,
        "ReferringPhysicianName": patient.referring_physician,
        "ModalitiesInStudy": study.modalities,
        "SOPClassesInStudy": tuple(sorted(classes)),
        "NumberOfStudyRelatedSeries": str(len(study.series)),
        "NumberOfStudyRelatedInstances": str(study.instance_count),
        "RetrieveAETitle": ae_title,
        "InstanceAvailability": "ONLINE",
    }


def series_row(study: StudyPlan, series: SeriesPlan, ae_title: str) -> Row:
    """Attributes of a series and of its study."""
    return study_row(study, ae_title) | {
        "Modality": series.modality,
        "SeriesInstanceUID": series.series_instance_uid,
        "SeriesNumber": str(series.number),
        "SeriesDescription": series.description,
        "SeriesDate": f"{study.date:%Y%m%d}",
        "SeriesTime": f"{study.time:%H%M%S}",
        "BodyPartExamined": "" if series.modality == "SR" else series.body_part,
        "NumberOfSeriesRelatedInstances": str(len(series.instances)),
    }


def image_row(instance: InstancePlan) -> Row:
    """Attributes of an instance alone."""
    row: Row = {
        "SOPInstanceUID": instance.sop_instance_uid,
        "SOPClassUID": instance.sop_class_uid,
        "InstanceNumber": "" if instance.number is None else str(instance.number),
    }
    if instance.rows:
        row |= {"Rows": str(instance.rows), "Columns": str(instance.columns), "NumberOfFrames": str(instance.frames)}
    return row


class Catalogue:
    """Everything the archive holds."""

    def __init__(self, studies: Sequence[StudyPlan], ae_title: str) -> None:
        self._studies = [(study, study_row(study, ae_title)) for study in studies]
        self._ae_title = ae_title

    def find(self, level: str, keys: Mapping[str, Sequence[str]]) -> Iterator[tuple[StudyPlan, Row]]:
        """Rows of a level whose attributes match, each with the study it belongs to."""
        for study, row in self._studies:
            if not matches(row, keys):
                continue
            if level == "STUDY":
                yield study, row
                continue
            for series in study.series:
                of_series = series_row(study, series, self._ae_title)
                if not matches(of_series, keys):
                    continue
                if level == "SERIES":
                    yield study, of_series
                    continue
                for instance in series.instances:
                    of_image = of_series | image_row(instance)
                    if matches(of_image, keys):
                        yield study, of_image

    def instances(self, keys: Mapping[str, Sequence[str]]) -> list[Found]:
        """What a C-GET with these UIDs means."""
        studies, series_uids, images = (
            set(keys.get(name, ())) - {""} for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        )
        return [
            (study, series, instance)
            for study, _ in self._studies
            if not studies or study.study_instance_uid in studies
            for series in study.series
            if not series_uids or series.series_instance_uid in series_uids
            for instance in series.instances
            if not images or instance.sop_instance_uid in images
        ]
