"""C-FIND against Orthanc and dcmqrscp, and against servers that answer badly."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from threading import Event
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from kiosk.errors import Cancelled, ImagingError, PeerAborted, PeerRefused
from kiosk.imaging.calls import Found
from kiosk.imaging.network.commands import CommandField
from kiosk.imaging.network.find import find_instances, find_series, find_studies
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Study, StudyQuery
from tests.kiosk.imaging.hostile import accept_association, dimse_peer, evt, message, raw_peer, read_message, response
from tests.peers import Server, ct_instance, ct_series, drain, fill

NAMES = {
    "latin": ("ISO_IR 100", "Müller^Jürgen"),
    "cyrillic": ("ISO_IR 144", "Люкceмбypг^Иван"),
    "chinese": ("GB18030", "Wang^XiaoDong=王^小东"),
    "japanese": ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "utf8": ("ISO_IR 192", "Zoë^Łukasz"),
}

TYPED = {"latin": "Müller*", "cyrillic": "Люкceмбypг*", "chinese": "王*", "japanese": "山田*", "utf8": "Zoë*"}


@pytest.fixture(scope="module")
def orthanc_archive(orthanc: Server) -> Peer:
    """Orthanc with the studies of this module."""
    return filled(orthanc)


@pytest.fixture(scope="module")
def dcmqrscp_archive(dcmqrscp: Server) -> Peer:
    """dcmqrscp with the studies of this module."""
    return filled(dcmqrscp)


@pytest.fixture(params=["orthanc_archive", "dcmqrscp_archive"])
def archive(request: pytest.FixtureRequest) -> Peer:
    """Each of the two in turn."""
    peer: Peer = request.getfixturevalue(request.param)
    return peer


def filled(server: Server) -> Peer:
    """One study for each name, and one with two series."""
    datasets = [
        ct_instance(SpecificCharacterSet=term.split("\\"), PatientName=name, PatientID=f"F-{key}")
        for key, (term, name) in NAMES.items()
    ]
    study = generate_uid()
    for number, modality in ((1, "CT"), (2, "MR")):
        datasets += ct_series(
            3, StudyInstanceUID=study, PatientID="F-two", SeriesNumber=number, Modality=modality, StudyDate="20250607"
        )
    fill(server.peer, datasets)
    return server.peer


def studies(peer: Peer, limit: int = 100, **query: Any) -> tuple[list[Study], Found]:
    found, result = drain(find_studies(peer, StudyQuery(**query), limit, Event()))
    assert isinstance(result, Found)
    # What was counted here comes a second time.
    return list({study.study_instance_uid: study for study in found if isinstance(study, Study)}.values()), result


@pytest.mark.parametrize("key", NAMES)
def test_names_of_every_script_come_back_as_they_were_written(archive: Peer, key: str) -> None:
    # dcmqrscp does not say which character set its answers are in; Orthanc does, and it wins over what is assumed.
    term, name = NAMES[key]
    (study,), _ = studies(replace(archive, assumed_character_set=term), patient_id=f"F-{key}")
    found = study.patient.name
    assert [found.alphabetic, found.ideographic, found.phonetic] == [*name.split("="), "", ""][:3]


@pytest.mark.parametrize("key", NAMES)
def test_names_are_found_in_the_character_set_they_are_stored_in(archive: Peer, key: str) -> None:
    found, _ = studies(replace(archive, character_set=NAMES[key][0]), patient_name=TYPED[key])
    assert f"F-{key}" in {study.patient.patient_id for study in found}


@pytest.mark.parametrize("key", NAMES)
def test_names_are_found_in_utf8_where_the_archive_converts(orthanc_archive: Peer, key: str) -> None:
    found, _ = studies(orthanc_archive, patient_name=TYPED[key])
    assert {study.patient.patient_id for study in found} == {f"F-{key}"}


def test_a_key_that_the_character_set_cannot_hold_is_refused_before_anything_is_sent() -> None:
    with (
        raw_peer(accept_association) as peer,
        pytest.raises(ImagingError, match=r"patient name.*HOSTILE_AE.*ISO_IR 100"),
    ):
        studies(replace(peer, character_set="ISO_IR 100"), patient_name="Иванов*")


def test_wildcards_ids_and_dates_select(archive: Peer) -> None:
    assert {study.patient.patient_id for study in studies(archive, patient_id="F-t?o")[0]} == {"F-two"}
    assert len(studies(archive, patient_id="F-*", date_from=date(2025, 6, 1), date_to=date(2025, 6, 30))[0]) == 1
    assert len(studies(archive, patient_id="F-*", date_to=date(2025, 6, 6))[0]) == 0
    assert len(studies(archive, patient_id="F-*", date_from=date(2025, 6, 8))[0]) == len(NAMES)
    assert studies(archive, patient_id="F-[t]wo")[0] == []


@pytest.mark.parametrize(
    ("modalities", "expected"),
    [
        (("MR",), {"F-two"}),
        (("MR", "US"), {"F-two"}),
        (("US",), set()),
        (("MR", "CT"), {"F-two", *map("F-{}".format, NAMES)}),
    ],
)
def test_modalities_are_alternatives_even_where_the_archive_ignores_them(
    archive: Peer, modalities: tuple[str, ...], expected: set[str]
) -> None:
    found, _ = studies(archive, patient_id="F-*", modalities=modalities)
    assert {study.patient.patient_id for study in found} == expected
    assert len(found) == len({study.study_instance_uid for study in found})
    assert all(set(study.modalities) & set(modalities) for study in found)


def test_a_limit_cancels_at_the_archive_and_says_that_there_is_more(archive: Peer) -> None:
    found, result = studies(archive, limit=2, patient_id="F-*")
    assert len(found) == 2
    assert result == Found(2, True, result.notes)
    everything, result = studies(archive, limit=len(NAMES) + 1, patient_id="F-*")
    assert len(everything) == len(NAMES) + 1
    assert not result.more


def test_series_and_instances_of_a_study(archive: Peer) -> None:
    (study,), _ = studies(archive, patient_id="F-two")
    assert study.series_count in (2, None)
    assert study.instance_count in (6, None)
    series, result = drain(find_series(archive, study.study_instance_uid, Event()))
    assert isinstance(result, Found)
    assert result.count == 2
    assert sorted((one.number, one.modality) for one in series) == [(1, "CT"), (2, "MR")]  # type: ignore[attr-defined] # drained
    uid = series[0].series_instance_uid  # type: ignore[attr-defined] # drained
    instances, _ = drain(find_instances(archive, study.study_instance_uid, uid, Event()))
    assert sorted(one.number for one in instances) == [1, 2, 3]  # type: ignore[attr-defined] # drained


def answer(**values: Any) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = "STUDY"
    dataset.StudyInstanceUID = "1.2.3"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0xA700, r"out of resources \(A700\)"),
        (0xC000, r"cannot understand \(C000\)"),
        (0xA900, "A900"),
        (0x0122, "0122"),
    ],
)
def test_a_failure_status_is_said_in_words(status: int, words: str) -> None:
    def refuse(event: Any) -> Iterator[tuple[int, None]]:
        yield status, None

    with dimse_peer([(evt.EVT_C_FIND, refuse)]) as peer, pytest.raises(PeerRefused, match=f"DIMSE_AE.*{words}"):
        studies(peer)


def test_counts_of_zero_are_unknown() -> None:
    def zero(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, answer(NumberOfStudyRelatedInstances=0, NumberOfStudyRelatedSeries=0)

    with dimse_peer([(evt.EVT_C_FIND, zero)]) as peer:
        (study,), _ = studies(peer)
    assert (study.series_count, study.instance_count) == (None, None)


def test_an_archive_that_ignores_every_key_is_filtered_here() -> None:
    def ignore(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, answer(StudyInstanceUID="1.1", PatientName="DOE^JANE", StudyDate="20260101")
        yield 0xFF00, answer(StudyInstanceUID="1.2", PatientName="SMITH^JOHN", StudyDate="20260101")
        yield 0xFF00, answer(StudyInstanceUID="1.3", PatientName="Doe^John", StudyDate="20200101")
        yield 0xFF00, answer(StudyInstanceUID="1.1", PatientName="DOE^JANE", StudyDate="20260101")

    with dimse_peer([(evt.EVT_C_FIND, ignore)]) as peer:
        found, _ = studies(peer, patient_name="doe*", date_from=date(2025, 1, 1))
    assert [study.study_instance_uid for study in found] == ["1.1"]


def test_broken_answers_are_counted_and_the_rest_is_shown() -> None:
    def serve(connection: Any) -> None:
        accept_association(connection)
        context, request, _ = read_message(connection)
        good = b"\x20\x00\x0d\x00UI\x04\x001.2\0"
        for data in (good[:-3], b"\xff" * 50, b"\x20\x00\x0d\x00UI\x08\x00../../..", good):
            connection.sendall(
                message(context, response(CommandField.C_FIND_RSP, request, 0xFF00, has_data=True), data)
            )
        connection.sendall(message(context, response(CommandField.C_FIND_RSP, request, 0)))
        connection.recv(100)

    with raw_peer(serve) as peer:
        found, result = studies(peer)
    assert [study.study_instance_uid for study in found] == ["1.2"]
    assert result.notes == ("3 answers of HOSTILE (HOSTILE_AE) could not be read.",)


def test_undeclared_utf8_is_recognised_and_noted() -> None:
    def undeclared(connection: Any) -> None:
        accept_association(connection)
        context, request, _ = read_message(connection)
        name = "Gößmann^Łucja".encode()
        name += b" " * (len(name) % 2)
        data = b"\x10\x00\x10\x00PN" + len(name).to_bytes(2, "little") + name + b"\x20\x00\x0d\x00UI\x04\x001.2\0"
        connection.sendall(message(context, response(CommandField.C_FIND_RSP, request, 0xFF00, has_data=True), data))
        connection.sendall(message(context, response(CommandField.C_FIND_RSP, request, 0)))
        connection.recv(100)

    with raw_peer(undeclared) as peer:
        (study,), result = studies(peer)
    assert study.patient.name.alphabetic == "Gößmann^Łucja"
    assert "character set" in result.notes[0]


def test_escape_bytes_in_an_answer_do_not_come_through() -> None:
    def spoof(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        spoofed = answer(PatientName="A\x1b]52;c;aGk=\x07^B", StudyDescription="x\x9b2J\u202e", PatientID="[/]1")
        spoofed.SpecificCharacterSet = "ISO_IR 192"
        yield 0xFF00, spoofed

    with dimse_peer([(evt.EVT_C_FIND, spoof)]) as peer:
        (study,), _ = studies(peer)
    text = study.patient.name.alphabetic + study.description + study.patient.patient_id
    assert text.isprintable()
    assert "[/]1" in text


def test_an_answer_to_another_question_ends_the_association() -> None:
    def wrong(connection: Any) -> None:
        accept_association(connection)
        context, request, _ = read_message(connection)
        connection.sendall(message(context, response(CommandField.C_FIND_RSP, request, 0, responded_to=4711)))
        connection.recv(100)

    with raw_peer(wrong) as peer, pytest.raises(PeerAborted, match="not asked"):
        studies(peer)


def endless(connection: Any) -> None:
    accept_association(connection)
    context, request, _ = read_message(connection)
    for number in range(10_000_000):
        uid = f"1.{number:08}".encode()
        data = b"\x20\x00\x0d\x00UI\x0a\x00" + uid
        connection.sendall(message(context, response(CommandField.C_FIND_RSP, request, 0xFF00, has_data=True), data))


def test_an_archive_that_never_stops_is_left_after_the_limit() -> None:
    with raw_peer(endless, timeout=2) as peer:
        started = time.monotonic()
        found, result = studies(peer, limit=10)
    assert len(found) == 10
    assert result.more
    assert time.monotonic() - started < 30
    assert "went on after the query was cancelled" in result.notes[0]


def test_a_running_query_is_cancelled_at_once() -> None:
    with raw_peer(endless, timeout=30) as peer:
        cancel = Event()
        answers = find_studies(peer, StudyQuery(), 10_000_000, cancel)
        next(answers)
        cancel.set()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            drain(answers)
        assert time.monotonic() - started < 10


def test_a_query_that_is_left_half_way_does_not_disturb_the_next(archive: Peer) -> None:
    answers = find_studies(archive, StudyQuery(patient_id="F-*"), 100, Event())
    next(answers)
    answers.close()
    assert len(studies(archive, patient_id="F-*")[0]) == len(NAMES) + 1
