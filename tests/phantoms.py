"""Studies that never were: patients in four scripts, hostile texts, series of slices, pictures made from arithmetic."""

from collections.abc import Iterable
from datetime import date, time, timedelta

from kiosk.imaging.studies.model import (
    Instance,
    OrderRule,
    Patient,
    PersonName,
    Picture,
    Series,
    SeriesContents,
    Study,
    TagRow,
)

ROOT = "1.2.826.0.1.3680043.10.999"
PATIENTS = (
    Patient("P-1001", "Hospital A", PersonName("Berg^Ingrid^M"), date(1950, 5, 4), "F"),
    Patient("P-1002", "Hospital A", PersonName("Ivanov^Sergei", "Иванов^Сергей"), date(1961, 2, 28), "M"),
    Patient("P-1003", "Hospital B", PersonName("Wang^XiaoDong", "王^小東"), date(1984, 11, 9), "M"),
    Patient("P-1004", "Hospital A", PersonName("Yamada^Tarou", "山田^太郎", "やまだ^たろう"), date(1999, 12, 31), "M"),
    Patient("P-1001", "Hospital B", PersonName("Okonkwo^Adaeze"), None, "F"),
    Patient("P-1006", "", PersonName("Doe^[/JANE]"), date(2001, 1, 1), "O"),
)
KINDS = (
    (("CT",), "CT Head without contrast", 3, 120),
    (("MR",), "MR Heart, cine phases", 4, 200),
    (("CR",), "Chest PA and lateral", 2, 2),
    (("US",), "US Abdomen", 1, 24),
    (("MR", "SR"), "MR Brain with report", 5, 301),
)
HOSTILE = "\x1b]52;c;aGVsbG8=\x07\x1b[2J\x9b31m\x1b[c\u202eEVIL\u2066x\x00\x08\x7f[@click=app.bell]HIT[/]"


def study(number: int, patient: Patient | None = None, description: str | None = None) -> Study:
    """The `number`-th study: kinds and patients take turns, each a day and an hour older."""
    modalities, words, series, instances = KINDS[number % len(KINDS)]
    return Study(
        study_instance_uid=f"{ROOT}.{number}",
        patient=patient or PATIENTS[number % len(PATIENTS)],
        study_date=date(2026, 3, 1) - timedelta(days=number),
        study_time=time(8 + number % 10, number % 60),
        accession_number=f"A{70000 + number}",
        description=words if description is None else description,
        modalities=modalities,
        referring_physician=PersonName("House^Gregory"),
        study_id=str(number),
        series_count=series,
        instance_count=None if number % 7 == 3 else instances,
        archive="Main archive",
    )


def studies(count: int = 30) -> list[Study]:
    """So many studies, in no order of date: as an archive answers."""
    return [study((number * 7) % count if count % 7 else number) for number in range(count)]


def hostile_study(text: str = HOSTILE) -> Study:
    """Every text attribute carries what must not reach a terminal."""
    patient = Patient(text, text, PersonName(text, text, text), None, text)
    return Study(
        f"{ROOT}.666", patient, date(2026, 3, 1), None, text, text, (text,), PersonName(text), text, None, None, text
    )


def series_of(study: Study) -> tuple[Series, ...]:
    """The series of a study, in reading order."""
    words = ("Scout", "Axial 5 mm", "Axial 1 mm, bone", "Coronal", "Report")
    return tuple(
        Series(
            study.study_instance_uid,
            f"{study.study_instance_uid}.{number}",
            number,
            study.modalities[min(number - 1, len(study.modalities) - 1)] if study.modalities else "OT",
            words[(number - 1) % len(words)],
            "HEAD",
            2 if number == 1 else 40,
        )
        for number in range(1, (study.series_count or 2) + 1)
    )


def instances_of(series: Series, count: int) -> tuple[Instance, ...]:
    """Slices 5 mm apart along z."""
    return tuple(
        Instance(
            sop_instance_uid=f"{series.series_instance_uid}.{place}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            sop_class_name="CT Image Storage",
            series_instance_uid=series.series_instance_uid,
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            number=count - place,
            rows=256,
            columns=256,
            frames=8 if series.number == 3 else 1,
            position=(0.0, 0.0, 5.0 * place),
            orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
            file=f"file-{place}",
            size=131_584,
        )
        for place in range(count)
    )


def contents_of(series: Series) -> SeriesContents:
    """As many slices as the series says it has."""
    notes = ("Instance numbers run against the slices.",) if series.number != 1 else ()
    return SeriesContents(series, instances_of(series, series.instance_count or 12), OrderRule.GEOMETRY, notes)


def picture_of(instance: Instance, frame: int, size: int = 256) -> Picture:
    """A head of two ellipses whose size goes with the slice, a bright disc to the patient's left."""
    half = size / 2
    scale = 0.55 + 0.4 * min(1.0, (instance.position or (0, 0, 0))[2] / 200)
    pixels = bytearray(size * size)
    for y in range(size):
        across = (y - half) / (half * scale)
        if abs(across) >= 1:
            continue
        reach = (1 - across * across) ** 0.5 * half * scale * 0.8
        left, right = int(half - reach), int(half + reach)
        inner = max(0, int(reach - 8))
        spans = [(left, right, 232), (int(half) - inner, int(half) + inner, 70 + 10 * (frame % 8))]
        if abs(y - half * 0.8) < 16:
            spans.append((int(half * 1.25), int(half * 1.4), 192))
        for start, end, grey in spans:
            pixels[y * size + start : y * size + end] = bytes([grey]) * (end - start)
    return Picture(size, size, "L", bytes(pixels), ("R", "L", "A", "P"), 1.0, (40.0, 80.0), frame, instance.frames)


def tags_of(instance: Instance) -> Iterable[TagRow]:
    """Some elements, a sequence of two levels among them."""
    yield TagRow(0, "(0008,0016)", "SOPClassUID", "UI", "1", instance.sop_class_uid, "SOP Class UID")
    yield TagRow(0, "(0008,0018)", "SOPInstanceUID", "UI", "1", instance.sop_instance_uid, "SOP Instance UID")
    yield TagRow(0, "(0008,1140)", "ReferencedImageSequence", "SQ", "1", "", "Referenced Image Sequence")
    yield TagRow(1, "Item 1", "", "", "", "", "")
    yield TagRow(
        2, "(0008,1150)", "ReferencedSOPClassUID", "UI", "1", instance.sop_class_uid, "Referenced SOP Class UID"
    )
    yield TagRow(0, "(0010,0010)", "PatientName", "PN", "1", "Yamada^Tarou=山田^太郎", "Patient's Name")
    yield TagRow(0, "(0018,0050)", "SliceThickness", "DS", "1", "5.0", "Slice Thickness")
    for number in range(60):
        yield TagRow(0, f"(0043,{0x1000 + number:04X})", "", "LO", "1", f"private value {number}", "Private element")
