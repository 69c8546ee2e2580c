"""C-FIND keys match as PS3.4 C.2.2.2 says."""

import pytest

from kiosk.demo.archive.matching import Value, matches


@pytest.mark.parametrize(
    ("name", "value", "wanted", "expected"),
    [
        ("PatientID", "DH-1", [], True),
        ("PatientID", "DH-1", ["*"], True),
        ("PatientID", "", ["*"], True),
        ("PatientID", "DH-1", ["DH-?"], True),
        ("PatientID", "DH-12", ["DH-?"], False),
        ("PatientID", "DH.1", ["DH.1"], True),
        ("PatientID", "DHx1", ["DH.1"], False),
        ("PatientID", "dh-1", ["DH-1"], False),
        ("PatientName", "Müller^Jörg", ["mü*"], True),
        ("PatientName", "Müller^Jörg", ["Mu\u0308ller*"], True),
        ("PatientName", "Tanaka^Hanako=田中^花子", ["田中*"], True),
        ("PatientName", "Tanaka^Hanako=田中^花子", ["*=田中*"], True),
        ("StudyDate", "20260317", ["20260317"], True),
        ("StudyDate", "20260317", ["20260301-20260317"], True),
        ("StudyDate", "20260317", ["-20260316"], False),
        ("StudyDate", "20260317", ["20260317-"], True),
        ("StudyDate", "", ["20260317-"], False),
        ("StudyTime", "081530", ["08-09"], True),
        ("StudyTime", "095959", ["08-09"], True),
        ("StudyTime", "100000", ["08-09"], False),
        ("ModalitiesInStudy", ("CT", "SR"), ["SR", "US"], True),
        ("ModalitiesInStudy", ("CT", "SR"), ["US"], False),
        ("StudyInstanceUID", "1.2.3", ["1.2", "1.2.3"], True),
        ("StudyInstanceUID", "1.2.3", ["1.2.*"], False),
        ("Unknown", "x", ["y"], False),
    ],
)
def test_one_key(name: str, value: Value, wanted: list[str], expected: bool) -> None:
    assert matches({name: value}, {name: wanted}) is expected


def test_a_key_that_a_row_does_not_know_does_not_count() -> None:
    assert matches({"PatientID": "1"}, {"PatientID": ["1"], "Occupation": ["Miner"]})
