"""C-FIND beyond its usual keys: patient root, counting, UIDs, times, sequences, and how keys are written."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import time
from threading import Event
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE

from kiosk.imaging.network.find import find_studies
from kiosk.imaging.network.identifiers import Answer, Key, encode_identifier, nested
from kiosk.imaging.network.keys import PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from kiosk.imaging.network.pynetdicom_mend import mend
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Study, StudyQuery
from tests.kiosk.imaging.hostile import dimse_peer, evt
from tests.peers import Server, ct_instance, ct_series, drain, fill, free_port, local_peer


def rows(peer: Peer, limit: int = 100, **query: Any) -> list[Study]:
    found, _ = drain(find_studies(peer, StudyQuery(**query), limit, Event()))
    return [study for study in found if isinstance(study, Study)]


def latest(found: list[Study]) -> dict[str, Study]:
    return {study.study_instance_uid: study for study in found}


@pytest.fixture(scope="module", params=["orthanc", "dcmqrscp", "qrscp"])
def archive(request: pytest.FixtureRequest) -> Peer:
    """Each archive with one study of two series and two studies of one accession number."""
    server: Server = request.getfixturevalue(request.param)
    two = generate_uid()
    datasets = [
        one
        for number, modality in ((1, "CT"), (2, "MR"))
        for one in ct_series(
            2, StudyInstanceUID=two, PatientID="D-two", SeriesNumber=number, Modality=modality, StudyTime="081500"
        )
    ]
    datasets += [
        ct_instance(PatientID="D-one", AccessionNumber="D7", StudyTime=moment) for moment in ("093000", "1400")
    ]
    fill(server.peer, datasets)
    return server.peer


def test_what_an_archive_does_not_count_is_counted_here_and_marked(archive: Peer) -> None:
    found = rows(archive, patient_id="D-two")
    study = latest(found)[found[0].study_instance_uid]
    assert (study.series_count, study.instance_count, set(study.modalities)) == (2, 4, {"CT", "MR"})
    first = found[0]
    told = first.series_count is not None and first.instance_count is not None and bool(first.modalities)
    assert study.counted is not told


def test_a_list_of_uids_finds_each_of_them(archive: Peer) -> None:
    every = latest(rows(archive, patient_id="D-*"))
    assert len(every) == 3
    wanted = sorted(every)[:2]
    assert sorted(latest(rows(archive, study_instance_uids=tuple(wanted)))) == wanted


def test_times_of_day_are_a_range(archive: Peer) -> None:
    found = latest(rows(archive, patient_id="D-*", time_from=time(8), time_to=time(9, 30, 59))).values()
    assert sorted(study.study_time for study in found if study.study_time) == [time(8, 15), time(9, 30)]
    assert {study.patient.patient_id for study in found} == {"D-two", "D-one"}


def test_an_accession_number_holds_several_studies(archive: Peer) -> None:
    assert len(latest(rows(archive, accession_number="D7"))) == 2


def described(**values: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def test_an_archive_of_patient_root_alone_is_asked_patient_by_patient() -> None:
    asked: list[tuple[str, str]] = []

    def serve(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        keys = event.identifier
        asked.append((keys.QueryRetrieveLevel, keys.get("PatientID", "")))
        if keys.QueryRetrieveLevel == "PATIENT":
            for patient_id in ("1", "2", "2", "*"):
                yield 0xFF00, described(PatientID=patient_id)
        elif keys.QueryRetrieveLevel == "STUDY":
            study = described(
                PatientID=keys.PatientID, StudyInstanceUID=f"1.2.{keys.PatientID}", ModalitiesInStudy="CT"
            )
            yield 0xFF00, study
        elif keys.QueryRetrieveLevel == "SERIES":
            yield 0xFF00, described(SeriesInstanceUID="1.3", Modality="CT", NumberOfSeriesRelatedInstances=5)

    mend()
    entity = AE(ae_title="PATIENTS")
    entity.add_supported_context(PATIENT_ROOT_FIND)
    port = free_port()
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_FIND, serve)])
    assert server is not None
    try:
        found = latest(rows(local_peer("PATIENTS", "PATIENTS", port)))
    finally:
        server.shutdown()
    assert {uid: (one.series_count, one.instance_count, one.counted) for uid, one in found.items()} == {
        "1.2.1": (1, 5, True),
        "1.2.2": (1, 5, True),
    }
    assert asked == [("PATIENT", ""), ("STUDY", "1"), ("STUDY", "2"), ("SERIES", "1"), ("SERIES", "2")]


def test_counting_that_an_archive_refuses_leaves_the_counts_unknown() -> None:
    def refuse(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        if event.identifier.QueryRetrieveLevel == "STUDY":
            yield 0xFF00, described(StudyInstanceUID="1.2")
        else:
            yield 0xA900, None

    with dimse_peer([(evt.EVT_C_FIND, refuse)]) as peer:
        (study,) = rows(peer)
    assert (study.series_count, study.instance_count, study.counted) == (None, None, False)


def test_an_accession_number_is_asked_for_with_its_issuer_and_filtered_by_it() -> None:
    asked: list[Dataset] = []

    def serve(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        for number, issuer in enumerate(("RIS A", "RIS B"), start=1):
            item = described(LocalNamespaceEntityID=issuer)
            yield (
                0xFF00,
                described(
                    AccessionNumber="77",
                    IssuerOfAccessionNumberSequence=[item],
                    StudyInstanceUID=f"1.2.{number}",
                    ModalitiesInStudy="CT",
                    NumberOfStudyRelatedSeries=1,
                    NumberOfStudyRelatedInstances=1,
                ),
            )

    with dimse_peer([(evt.EVT_C_FIND, serve)]) as peer:
        (study,) = rows(peer, accession_number="77", accession_issuer="RIS B")
        both = rows(peer, accession_number="77")
    assert (study.study_instance_uid, study.accession_issuer) == ("1.2.2", "RIS B")
    assert [one.accession_issuer for one in both] == ["RIS A", "RIS B"]
    assert asked[0].IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "RIS B"
    assert asked[1].IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID in ("", None)


PEER = local_peer("A", "A", 104)
NAME = 0x00100010


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=["explicit", "implicit"])
@pytest.mark.parametrize(
    ("character_set", "declared", "name"),
    [
        ("ISO_IR 100", "ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 144", "ISO_IR 144", "Иванов*"),
        ("GB18030", "GB18030", "王*"),
        ("ISO 2022 IR 87", "\\ISO 2022 IR 87", "*山田^太郎*"),
        ("\\ISO 2022 IR 87", "\\ISO 2022 IR 87", "*山田^太郎*"),
        ("ISO_IR 192", "ISO_IR 192", "Łukasz^Zoë"),
    ],
)
def test_keys_are_written_in_the_declared_character_set_also_in_sequences(
    character_set: str, declared: str, name: str, syntax: str
) -> None:
    keys = Key(NAME, "PN", name), Key(0x00080051, "SQ", keys=(Key(0x00400031, "UT", name),))
    data = encode_identifier(replace(PEER, character_set=character_set), "STUDY", keys, syntax)
    answer = Answer(PEER, data, syntax)
    assert "\\".join(answer.texts(0x00080005)) == declared.strip("\\")
    assert declared.encode() in data
    assert answer.person_name(NAME).alphabetic == name
    assert answer.text(nested(0x00080051, 0x00400031)) == name


def test_study_root_is_taken_where_both_are_granted() -> None:
    asked: list[str] = []

    def serve(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.context.abstract_syntax)
        yield from ()

    with dimse_peer([(evt.EVT_C_FIND, serve)]) as peer:
        rows(peer)
    assert asked == [STUDY_ROOT_FIND]
