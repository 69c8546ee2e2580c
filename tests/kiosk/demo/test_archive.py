"""The demo archive answers DCMTK's clients as an archive should."""

import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from kiosk.demo.archive import DemoArchive
from kiosk.demo.department import studies_on
from kiosk.demo.odd import ODD_PATIENT, POISONED_PATIENT, odd_studies
from kiosk.demo.people import PATIENTS
from tests.kiosk.demo.clients import echoscu, findscu, getscu, storescu
from tests.kiosk.demo.conftest import TODAY

STUDIES = studies_on(TODAY)
ODD_STUDIES = {study.study_instance_uid for study in odd_studies(TODAY)}
ODD_IDS = {ODD_PATIENT.patient_id, POISONED_PATIENT.patient_id}

# The character sets of people.PATIENTS in Python's own words, to decode with nothing of DICOM's.
CODECS = {"ISO_IR 100": "latin-1", "ISO_IR 144": "iso8859-5", "GB18030": "gb18030", "ISO_IR 192": "utf-8"}


def test_every_node_answers_an_echo(pacs: DemoArchive) -> None:
    assert all(echoscu(peer) for peer in (pacs.archive, *pacs.destinations))


def test_all_studies_are_found_with_what_a_list_needs(pacs: DemoArchive, tmp_path: Path) -> None:
    keys = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "ModalitiesInStudy")
    counts = ("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances", "StudyDescription", "AccessionNumber")
    found = {answer.StudyInstanceUID: answer for answer in findscu(pacs.archive, tmp_path, "STUDY", *keys, *counts)}
    for study in STUDIES:
        answer = found[study.study_instance_uid]
        assert answer.PatientID == study.patient.patient_id
        assert answer.IssuerOfPatientID == "DEMO HOSPITAL"
        assert answer.PatientBirthDate == f"{study.patient.birth_date:%Y%m%d}"
        assert answer.NumberOfStudyRelatedSeries == len(study.series)
        assert answer.NumberOfStudyRelatedInstances == study.instance_count
        modalities = answer.ModalitiesInStudy
        assert set([modalities] if isinstance(modalities, str) else modalities) == set(study.modalities)
        assert answer.StudyDescription == study.description
    assert len(found) == len(STUDIES) + 3


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.patient_id)
def test_names_come_in_the_character_set_they_announce(pacs: DemoArchive, tmp_path: Path, patient) -> None:  # noqa: ANN001
    answer = findscu(pacs.archive, tmp_path, "STUDY", f"PatientID={patient.patient_id}", "PatientName")[0]
    terms = answer.get("SpecificCharacterSet")
    assert ([terms] if isinstance(terms, str) else [term or "" for term in terms]) == list(patient.character_set)
    (raw,) = (path.read_bytes() for path in sorted(tmp_path.glob("rsp*"))[:1])
    if len(patient.character_set) == 1:
        assert patient.name.encode(CODECS[patient.character_set[0]]) in raw
    else:
        alphabetic, *others = patient.name.split("=")
        first = "shift_jis" if patient.character_set[0] == "ISO 2022 IR 13" else "ascii"
        assert alphabetic.encode(first) in raw
        for family in (other.split("^")[0] for other in others):
            assert family.encode("iso2022_jp")[:-3] in raw
    assert str(answer.PatientName) == patient.name


@pytest.mark.parametrize(
    ("key", "patients"),
    [
        ("PatientName=Tanaka*", {"DH-104020"}),
        ("PatientName=tanaka^hanako*", {"DH-104020"}),
        ("PatientName=*^Minjun*", {"DH-106050"}),
        ("PatientName=Chen^Xiu?ing", {"DH-103112"}),
        ("PatientName=Chen", set()),
        ("PatientID=DH-1031*", {"DH-103112", "DH-103118"}),
        ("PatientID=DH-103112", {"DH-103112"}),
        ("PatientBirthDate=19480125", {"DH-102003"}),
        ("AccessionNumber=nothing", set()),
    ],
)
def test_keys_match_as_the_standard_says(pacs: DemoArchive, tmp_path: Path, key: str, patients: set[str]) -> None:
    name, _, value = key.partition("=")
    others = [] if name == "PatientID" else ["PatientID"]
    found = findscu(pacs.archive, tmp_path, "STUDY", f"{name}={value}", *others)
    assert {answer.PatientID for answer in found} - ODD_IDS == patients


@pytest.mark.parametrize(
    ("text", "codec", "term"),
    [
        ("Müller*", "latin-1", "ISO_IR 100"),
        ("Иванов*", "utf-8", "ISO_IR 192"),
        ("*=田中*", "utf-8", "ISO_IR 192"),
    ],
)
def test_names_match_whatever_character_set_the_question_is_in(
    pacs: DemoArchive, tmp_path: Path, text: str, codec: str, term: str
) -> None:
    dump = f"(0008,0005) CS [{term}]\n(0008,0052) CS [STUDY]\n(0010,0010) PN [{text}]\n(0010,0020) LO\n"
    source, query, answers = tmp_path / "query.dump", tmp_path / "query.dcm", tmp_path / "answers"
    source.write_bytes(dump.encode(codec))
    subprocess.run(["dump2dcm", "-F", str(source), str(query)], check=True, capture_output=True)
    answers.mkdir()
    peer = pacs.archive
    command = ["findscu", "-S", "-X", "-od", str(answers), "-aec", peer.ae_title, peer.host, str(peer.port), str(query)]
    subprocess.run(command, check=True, capture_output=True)
    found = {dcmread(path, force=True).PatientID for path in answers.iterdir()}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("first", "last"), [(TODAY, TODAY), (TODAY - timedelta(days=7), TODAY), (None, date(2023, 1, 1)), (TODAY, None)]
)
def test_dates_match_by_range(pacs: DemoArchive, tmp_path: Path, first: date | None, last: date | None) -> None:
    low, high = (f"{day:%Y%m%d}" if day else "" for day in (first, last))
    key = low if first == last else f"{low}-{high}"
    found = findscu(pacs.archive, tmp_path, "STUDY", f"StudyDate={key}", "StudyInstanceUID")
    expected = {
        study.study_instance_uid
        for study in STUDIES
        if (first is None or study.date >= first) and (last is None or study.date <= last)
    }
    assert {answer.StudyInstanceUID for answer in found} - ODD_STUDIES == expected
    assert expected


@pytest.mark.parametrize(("asked", "wanted"), [("SR", {"SR"}), ("MR\\US", {"MR", "US"})])
def test_modalities_are_alternatives(pacs: DemoArchive, tmp_path: Path, asked: str, wanted: set[str]) -> None:
    found = findscu(pacs.archive, tmp_path, "STUDY", f"ModalitiesInStudy={asked}", "StudyInstanceUID")
    expected = {study.study_instance_uid for study in STUDIES if wanted & set(study.modalities)}
    assert {answer.StudyInstanceUID for answer in found} == expected


def test_series_and_images_are_found_below_a_study(pacs: DemoArchive, tmp_path: Path) -> None:
    study = next(study for study in STUDIES if "SR" in study.modalities)
    uid = f"StudyInstanceUID={study.study_instance_uid}"
    keys = (uid, "SeriesInstanceUID", "SeriesNumber", "Modality", "SeriesDescription", "NumberOfSeriesRelatedInstances")
    found = findscu(pacs.archive, tmp_path / "series", "SERIES", *keys)
    assert [(a.SeriesNumber, a.Modality, a.SeriesDescription, a.NumberOfSeriesRelatedInstances) for a in found] == [
        (series.number, series.modality, series.description, len(series.instances)) for series in study.series
    ]
    axial = study.series[1]
    keys = (uid, f"SeriesInstanceUID={axial.series_instance_uid}", "SOPInstanceUID", "SOPClassUID", "InstanceNumber")
    images = findscu(pacs.archive, tmp_path / "images", "IMAGE", *keys)
    assert [image.SOPInstanceUID for image in images] == [item.sop_instance_uid for item in axial.instances]
    assert [image.InstanceNumber for image in images] != sorted(image.InstanceNumber for image in images)


def test_every_file_that_comes_is_sound_dicom(pacs: DemoArchive, tmp_path: Path) -> None:
    kinds: dict[tuple[str, str], Any] = {}
    for study in STUDIES:
        for series in study.series:
            kinds.setdefault((series.modality, series.description), (study, series))
    for index, (study, series) in enumerate(kinds.values()):
        uids = (f"StudyInstanceUID={study.study_instance_uid}", f"SeriesInstanceUID={series.series_instance_uid}")
        files = getscu(pacs.archive, tmp_path / str(index), "SERIES", *uids)
        assert len(files) == len(series.instances)
        tested = subprocess.run(["dcmftest", *map(str, files)], capture_output=True, text=True, check=False)
        assert tested.stdout.count("yes: ") == len(files)
        dumped = subprocess.run(["dcmdump", "-q", "-M", *map(str, files)], capture_output=True, check=False)
        assert dumped.returncode == 0
        assert b"W:" not in dumped.stderr
        assert b"E:" not in dumped.stderr


def test_single_instances_can_be_fetched(pacs: DemoArchive, tmp_path: Path) -> None:
    study = STUDIES[0]
    series = study.series[1]
    wanted = [series.instances[3].sop_instance_uid, series.instances[7].sop_instance_uid]
    files = getscu(
        pacs.archive, tmp_path, "IMAGE", f"StudyInstanceUID={study.study_instance_uid}",
        f"SeriesInstanceUID={series.series_instance_uid}", f"SOPInstanceUID={chr(92).join(wanted)}",
    )  # fmt: skip
    assert {dcmread(path).SOPInstanceUID for path in files} == set(wanted)


def test_the_report_is_a_structured_one(pacs: DemoArchive, tmp_path: Path) -> None:
    study = next(study for study in STUDIES if "SR" in study.modalities)
    uids = (f"StudyInstanceUID={study.study_instance_uid}", f"SeriesInstanceUID={study.series[-1].series_instance_uid}")
    (file,) = getscu(pacs.archive, tmp_path, "SERIES", *uids)
    shown = subprocess.run(["dsrdump", "+Pl", str(file)], capture_output=True, check=True)
    assert b"left frontal lobe" in shown.stdout
    assert b"Basic Text SR" in shown.stdout


def test_a_delivery_can_be_checked_at_its_destination(pacs: DemoArchive, tmp_path: Path) -> None:
    study = STUDIES[0]
    series = study.series[2]
    uids = (f"StudyInstanceUID={study.study_instance_uid}", f"SeriesInstanceUID={series.series_instance_uid}")
    files = getscu(pacs.archive, tmp_path / "files", "SERIES", *uids)
    teaching, second = pacs.destinations
    storescu(teaching, *files)
    kept = findscu(teaching, tmp_path / "kept", "IMAGE", *uids, "SOPInstanceUID")
    assert {answer.SOPInstanceUID for answer in kept} == {item.sop_instance_uid for item in series.instances}
    assert findscu(second, tmp_path / "none", "IMAGE", *uids, "SOPInstanceUID") == []


def test_the_archive_keeps_what_it_is_sent(pacs: DemoArchive, tmp_path: Path) -> None:
    study = STUDIES[0]
    uids = (f"StudyInstanceUID={study.study_instance_uid}", f"SeriesInstanceUID={study.series[0].series_instance_uid}")
    (file,) = getscu(pacs.archive, tmp_path / "file", "SERIES", *uids)
    changed = dcmread(file)
    changed.SOPInstanceUID = changed.file_meta.MediaStorageSOPInstanceUID = "2.25.4711"
    changed.save_as(file)
    storescu(pacs.archive, file)
    found = findscu(pacs.archive, tmp_path / "found", "IMAGE", *uids, "SOPInstanceUID")
    assert "2.25.4711" in {answer.SOPInstanceUID for answer in found}


def test_a_question_at_no_level_is_refused(pacs: DemoArchive) -> None:
    peer = pacs.archive
    command = ["findscu", "-v", "-S", "-k", "QueryRetrieveLevel=NONE", "-k", "PatientID", "-aec", peer.ae_title]
    done = subprocess.run([*command, peer.host, str(peer.port)], capture_output=True, text=True, check=False)
    assert "DataSetDoesNotMatchSOPClass" in done.stdout + done.stderr or "0xa900" in (done.stdout + done.stderr).lower()
