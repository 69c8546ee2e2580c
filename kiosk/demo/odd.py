"""Studies that try a kiosk: thousands of instances, poisoned text, numbers and positions missing or doubled."""

from dataclasses import replace
from datetime import date, time
from typing import Final

from kiosk.demo.examinations import AXIAL, centred
from kiosk.demo.people import UNICODE, DemoPatient
from kiosk.demo.plans import CT_IMAGE, InstancePlan, SeriesPlan, StudyPlan, demo_uid

MANY: Final = 5000

# Markup, an escape sequence, OSC 52 (writes the clipboard), C1 CSI, a right-to-left override and a zero-width space.
POISON: Final = "[/][red]\x1b[2J\x1b]52;c;cm0gLXJm\x07\x9b31m\u202eevil\u2066\u200b\x07"

# One attribute or more of every VR of text (PS3.5 6.2), beside those that a study has anyhow.
POISONED: Final = (
    "AdditionalPatientHistory",  # LT
    "DeviceSerialNumber",  # LO
    "ImageComments",  # LT
    "InstitutionAddress",  # ST
    "InstitutionName",  # LO
    "Manufacturer",  # LO
    "OperatorsName",  # PN
    "PatientComments",  # LT
    "PerformingPhysicianName",  # PN
    "ScheduledProcedureStepDescription",  # LO
    "SoftwareVersions",  # LO
    "StationName",  # SH
    "TextValue",  # UT
)
# These VRs have the default character set only, whatever the others have.
POISONED_NARROWLY: Final = (
    "PatientAge",  # AS
    "RetrieveURL",  # UR
    "ScanningSequence",  # CS
    "StationAETitle",  # AE
)

ODD_PATIENT: Final = DemoPatient("DH-ODD-1", "Odd^Test", date(1970, 1, 1), "O", UNICODE, "Referrer^Odd")
POISONED_PATIENT: Final = DemoPatient(
    f"DH-{POISON}",
    f"Mallory{POISON}^Eve{POISON}",
    date(1980, 2, 29),
    "F",
    UNICODE,
    f"Doctor{POISON}",
    f"ISSUER{POISON}",
)


def _study(patient: DemoPatient, name: str, today: date, description: str) -> StudyPlan:
    uid = demo_uid("odd", name)
    return StudyPlan(patient, uid, "1", today, time(9, 30), f"ODD-{name}", description, ())


def _tiny(series_uid: str, index: int, number: int | None, position: float | None) -> InstancePlan:
    plane = None if position is None else centred((0.0, 0.0, position), AXIAL, 1.0, 16)
    uid = demo_uid(series_uid, index)
    return InstancePlan(uid, CT_IMAGE, "tiny", number, plane, rows=16, columns=16)


def _series(
    study: StudyPlan, number: int, description: str, wanted: list[tuple[int | None, float | None]]
) -> SeriesPlan:
    uid = demo_uid(study.study_instance_uid, number)
    instances = tuple(_tiny(uid, index, *what) for index, what in enumerate(wanted))
    return SeriesPlan(uid, number, "CT", description, "HEAD", instances)


def many_instances(today: date, count: int = MANY) -> StudyPlan:
    """One series of very many instances, kept in an order that is not theirs."""
    study = _study(ODD_PATIENT, "MANY", today, "Very many instances")
    order = [(index * 3571) % count for index in range(count)] if count % 3571 else list(range(count))
    return study.with_series(_series(study, 1, "Thin slices", [(index + 1, index * 0.5) for index in order]))


def poisoned(today: date) -> StudyPlan:
    """A study whose every text tries to reach the terminal."""
    study = _study(POISONED_PATIENT, "POISON", today, f"Study{POISON}")
    narrow = "".join(character for character in POISON if character <= "\xff")
    remarks = [(keyword, f"{keyword}{POISON}") for keyword in POISONED]
    remarks += [(keyword, f"{keyword}{narrow}") for keyword in POISONED_NARROWLY]
    study = replace(study, accession_number="ODD\x1b[5m-P", study_id="1\x9b7m", remarks=tuple(remarks))
    series = _series(study, 1, f"Series{POISON}", [(index + 1, 5.0 * index) for index in range(3)])
    return study.with_series(replace(series, body_part="HEAD\x1b[1m"))


def odd_numbers(today: date) -> StudyPlan:
    """Series without Instance Number, without position, with doubled numbers, with nothing at all to order by."""
    study = _study(ODD_PATIENT, "NUMBERS", today, "Numbers and positions missing or doubled")
    return study.with_series(
        _series(study, 1, "No Instance Number", [(None, 5.0 * ((index * 5) % 8)) for index in range(8)]),
        _series(study, 2, "No position", [((index * 5) % 8 + 1, None) for index in range(8)]),
        _series(study, 3, "Doubled numbers", [(7 if index in (2, 5) else index + 1, None) for index in range(8)]),
        _series(study, 4, "Neither number nor position", [(None, None)] * 4),
        _series(
            study, 5, "Some without position", [(index + 1, None if index == 3 else 5.0 * index) for index in range(8)]
        ),
        _series(study, 6, "A slice is missing", [(index + 1, 5.0 * index) for index in range(10) if index != 4]),
        _series(study, 7, "Every number is one", [(1, 5.0 * ((index * 3) % 7)) for index in range(7)]),
    )


def odd_studies(today: date) -> tuple[StudyPlan, ...]:
    """All of them."""
    return (many_instances(today), poisoned(today), odd_numbers(today))
