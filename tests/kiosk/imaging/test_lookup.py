"""Queries at every level of both roots."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE

from kiosk.errors import ImagingError, PeerLacks
from kiosk.imaging.calls import Found
from kiosk.imaging.lookups import Level, Lookup, Match, Root
from kiosk.imaging.network.lookup import look_up
from kiosk.imaging.network.pynetdicom_mend import mend
from kiosk.imaging.peers import Peer
from tests.kiosk.imaging.hostile import evt
from tests.peers import Server, ct_series, drain, fill, free_port, local_peer

STUDY_UID = generate_uid()


def ask(peer: Peer, root: Root, level: Level, limit: int = 100, **keys: str) -> tuple[list[dict[str, str]], Found]:
    matches, found = drain(look_up(peer, Lookup(root, level, tuple(keys.items())), limit, Event()))
    assert isinstance(found, Found)
    return [dict(match.values) for match in matches if isinstance(match, Match)], found


@pytest.fixture(scope="module", params=["orthanc", "dcmqrscp", "qrscp"])
def archive(request: pytest.FixtureRequest) -> Peer:
    """Each archive with a study of two series."""
    server: Server = request.getfixturevalue(request.param)
    datasets = [
        one
        for number, modality in ((1, "CT"), (2, "MR"))
        for one in ct_series(
            2,
            StudyInstanceUID=STUDY_UID,
            PatientID="L-1",
            PatientName="Look^Up",
            SeriesNumber=number,
            Modality=modality,
        )
    ]
    fill(server.peer, datasets)
    return server.peer


def test_patient_root_leads_from_the_patient_to_the_instance(archive: Peer) -> None:
    (patient,), _ = ask(archive, Root.PATIENT, Level.PATIENT, PatientName="Look*")
    assert patient["PatientID"] == "L-1"
    (study,), _ = ask(archive, Root.PATIENT, Level.STUDY, PatientID="L-1")
    assert study["StudyInstanceUID"] == STUDY_UID
    series, _ = ask(archive, Root.PATIENT, Level.SERIES, PatientID="L-1", StudyInstanceUID=STUDY_UID, Modality="MR")
    assert [one["Modality"] for one in series] == ["MR"]
    uid = series[0]["SeriesInstanceUID"]
    images, found = ask(
        archive, Root.PATIENT, Level.IMAGE, PatientID="L-1", StudyInstanceUID=STUDY_UID, SeriesInstanceUID=uid
    )
    assert found.count == len({one["SOPInstanceUID"] for one in images}) == 2


def test_study_root_leads_from_the_study_to_the_series(archive: Peer) -> None:
    (study,), _ = ask(archive, Root.STUDY, Level.STUDY, PatientID="L-?")
    series, _ = ask(archive, Root.STUDY, Level.SERIES, StudyInstanceUID=study["StudyInstanceUID"])
    assert sorted(one["Modality"] for one in series) == ["CT", "MR"]


def test_a_limit_is_said(archive: Peer) -> None:
    series, found = ask(archive, Root.STUDY, Level.SERIES, limit=1, StudyInstanceUID=STUDY_UID)
    assert (len(series), found.count, found.more) == (1, 1, True)


def test_a_relational_query_is_not_sent_to_an_archive_that_grants_none(archive: Peer) -> None:
    with pytest.raises(PeerLacks, match=r"no relational queries.*study"):
        ask(archive, Root.STUDY, Level.SERIES, Modality="MR")


@contextmanager
def relational(granted: bytes) -> Iterator[tuple[Peer, list[Dataset]]]:
    """An archive that answers the extended negotiation so, and every query with a CT and an MR series."""
    asked: list[Dataset] = []

    def negotiate(event: Any) -> dict[str, bytes]:
        return dict.fromkeys(event.app_info, granted)

    def serve(event: Any) -> Iterator[tuple[int, Dataset]]:
        asked.append(event.identifier)
        for number, modality in enumerate(("CT", "MR"), start=1):
            answer = Dataset()
            answer.StudyInstanceUID, answer.SeriesInstanceUID = "1.2", f"1.2.{number}"
            answer.Modality, answer.PatientID = modality, "P"
            yield 0xFF00, answer

    mend()
    entity = AE(ae_title="RELATIONAL")
    entity.add_supported_context(Root.STUDY.sop_class_uid)
    port = free_port()
    handlers = [(evt.EVT_SOP_EXTENDED, negotiate), (evt.EVT_C_FIND, serve)]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield local_peer("RELATIONAL", "RELATIONAL", port), asked
    finally:
        server.shutdown()


def test_a_relational_query_goes_where_it_is_granted_and_is_filtered_here() -> None:
    with relational(b"\x01\x00\x00") as (peer, asked):
        series, _ = ask(peer, Root.STUDY, Level.SERIES, Modality="MR")
    assert [(one["SeriesInstanceUID"], one["PatientID"]) for one in series] == [("1.2.2", "P")]
    assert asked[0].Modality == "MR"
    assert asked[0].StudyInstanceUID == ""
    assert "PatientName" in asked[0]


def test_a_relational_query_stays_here_where_the_archive_says_no() -> None:
    with relational(b"\x00") as (peer, asked), pytest.raises(PeerLacks):
        ask(peer, Root.STUDY, Level.SERIES, Modality="MR")
    assert asked == []


@pytest.mark.parametrize(
    ("root", "level", "keys", "words"),
    [
        (Root.STUDY, Level.PATIENT, {}, "no patients"),
        (Root.STUDY, Level.STUDY, {"Modality": "CT"}, "SERIES level"),
        (Root.STUDY, Level.STUDY, {"Nonsense": "CT"}, "no key of that name"),
    ],
)
def test_what_cannot_be_asked_is_said(root: Root, level: Level, keys: dict[str, str], words: str) -> None:
    with pytest.raises(ImagingError, match=words):
        ask(local_peer("NOWHERE", "NOWHERE", 1), root, level, **keys)
