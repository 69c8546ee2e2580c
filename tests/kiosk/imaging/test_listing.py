"""An archive's list is read while the first instances come: what is not on it is neither told nor kept."""

import random
import struct
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import SecondaryCaptureImageStorage

from kiosk.errors import PeerRefused, UnreadableObject
from kiosk.imaging.calls import Received, Retrieved
from kiosk.imaging.network import filemeta, identity, orders
from kiosk.imaging.network.commands import CommandField, store_request
from kiosk.imaging.network.filemeta import read_file_meta
from kiosk.imaging.network.identity import Fronts
from kiosk.imaging.network.retrieve import retrieve
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from tests.kiosk.imaging.hostile import accept_association, dimse_peer, evt, message, raw_peer, read_message, response
from tests.kiosk.imaging.test_retrieve import CT, encoded
from tests.peers import ct_instance, ct_series, drain

PATIENCE = 30.0


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    return spool


class Archive:
    """Lists `listed`, and of the study the SOP classes `told`; sends `sent`. Lists no instance before `may_list`."""

    def __init__(self, listed: list[Dataset], sent: list[Dataset], told: tuple[str, ...] = (CT,)) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.may_list = Event()
        self._listed = listed
        self._sent = sent
        self._told = told

    @property
    def handlers(self) -> list[tuple[Any, Any]]:
        """For pynetdicom."""
        return [(evt.EVT_C_FIND, self.find), (evt.EVT_C_GET, self._get)]

    def find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        """Answers one query."""
        level = event.identifier.QueryRetrieveLevel
        self.asked.append((level, "SOPClassUID" in event.identifier))
        found = Dataset()
        if level == "STUDY":
            found.StudyInstanceUID = event.identifier.StudyInstanceUID
            found.SOPClassesInStudy = list(self._told)
            yield 0xFF00, found
        elif level == "IMAGE":
            self.may_list.wait(PATIENCE)
            for instance in self._listed:
                found.SOPInstanceUID = instance.SOPInstanceUID
                if "SOPClassUID" in event.identifier:
                    found.SOPClassUID = instance.SOPClassUID
                yield 0xFF00, found

    def _get(self, event: Any) -> Iterator[Any]:
        asked = event.identifier.get("SOPInstanceUID", None)
        uids = [asked] if isinstance(asked, str) else list(asked or ())
        chosen = [instance for instance in self._sent if not uids or instance.SOPInstanceUID in uids]
        yield len(chosen)
        for instance in chosen:
            yield 0xFF00, instance
        self.may_list.set()


def take(peer: Peer, dataset: Dataset, spool: Spool) -> Iterator[Received]:
    return retrieve(peer, str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID), (), spool, Event())


def test_what_came_before_it_was_listed_is_told_once_it_is(spool: Spool) -> None:
    instances = ct_series(5)
    archive = Archive(instances, instances)
    with dimse_peer(archive.handlers, timeout=PATIENCE) as peer:
        transfer = take(peer, instances[0], spool)
        first = next(transfer)
        assert archive.may_list.is_set()  # all had been sent before the first was listed
        rest, result = drain(transfer)
    assert result == Retrieved(5, 0)
    assert {item.sop_instance_uid for item in [first, *rest]} == {one.SOPInstanceUID for one in instances}
    assert archive.asked == [("STUDY", False), ("IMAGE", False)]


def test_what_came_and_is_not_listed_in_the_end_goes(spool: Spool) -> None:
    instances = ct_series(3)
    archive = Archive(instances[:2], instances)
    with dimse_peer(archive.handlers, timeout=PATIENCE) as peer:
        received, result = drain(take(peer, instances[0], spool))
    assert [item.sop_instance_uid for item in received] == [one.SOPInstanceUID for one in instances[:2]]
    assert result == Retrieved(2, 0)
    assert set(spool.names()) == {item.file for item in received}


def test_nothing_stays_of_what_came_when_the_list_fails(spool: Spool) -> None:
    instances = ct_series(2)
    archive = Archive(instances, instances)

    def refuse(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        if event.identifier.QueryRetrieveLevel == "IMAGE":
            archive.may_list.wait(PATIENCE)
            yield 0xC000, None
        else:
            yield from archive.find(event)

    handlers = [(evt.EVT_C_FIND, refuse), archive.handlers[1]]
    with dimse_peer(handlers, timeout=PATIENCE) as peer, pytest.raises(PeerRefused, match="C000"):
        drain(take(peer, instances[0], spool))
    assert list(spool.folder.iterdir()) == []


def test_no_more_than_a_bound_is_held_before_it_is_listed(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "MOST_HELD", 2)
    instances = ct_series(4)
    archive = Archive(instances, instances)
    wishes: list[int] = []

    def find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        if event.identifier.QueryRetrieveLevel == "IMAGE":
            until = time.monotonic() + PATIENCE
            while len(spool.names()) < 2 and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(0.2)  # for a third to come, which must not
            wishes.append(len(spool.names()))
            archive.may_list.set()
        yield from archive.find(event)

    with dimse_peer([(evt.EVT_C_FIND, find), archive.handlers[1]], timeout=PATIENCE) as peer:
        received, result = drain(take(peer, instances[0], spool))
    assert wishes == [2]
    assert len(received) == 4
    assert result == Retrieved(4, 0)


def test_a_class_that_the_study_did_not_name_is_asked_for_by_itself(spool: Spool) -> None:
    instances = ct_series(2)
    instances[1].SOPClassUID = SecondaryCaptureImageStorage
    archive = Archive(instances, instances)
    with dimse_peer(archive.handlers, timeout=PATIENCE) as peer:
        received, result = drain(take(peer, instances[0], spool))
    assert result == Retrieved(2, 0)
    assert [item.sop_class_uid for item in received] == [CT, SecondaryCaptureImageStorage]
    assert archive.asked == [("STUDY", False), ("IMAGE", False), ("SERIES", False), ("IMAGE", True)]


def test_an_archive_that_serves_one_association_at_a_time_is_asked_when_its_list_is_through(spool: Spool) -> None:
    instances = ct_series(3)
    archive = Archive(instances, instances)
    handlers = [*archive.handlers, (evt.EVT_REJECTED, lambda event: archive.may_list.set())]
    with dimse_peer(handlers, timeout=PATIENCE, maximum_associations=1) as peer:
        received, result = drain(take(peer, instances[0], spool))
    assert archive.may_list.is_set()
    assert len(received) == 3
    assert result == Retrieved(3, 0)


@pytest.mark.parametrize("size", [2, 4096], ids=["two bytes at a time", "many pieces"])
def test_an_instance_in_many_fragments_is_the_same(size: int, spool: Spool) -> None:
    dataset = ct_instance(PixelData=random.Random(7).randbytes(2048 if size == 2 else 3 << 20), Rows=32)
    whole = encoded(dataset)
    data = whole[whole.index(b"\x08\x00\x16\x00UI") :]

    def behave(connection: Any) -> None:
        accept_association(connection)
        context, request, _ = read_message(connection)
        while request.field == CommandField.C_FIND_RQ:
            uid = str(dataset.SOPInstanceUID).encode()
            uid += b"\0" * (len(uid) % 2)
            found = b"\x08\x00\x16\x00UI\x1a\x00" + CT.encode() + b"\0"
            found += b"\x08\x00\x18\x00UI" + len(uid).to_bytes(2, "little") + uid
            sent = message(context, response(CommandField.C_FIND_RSP, request, 0xFF00, has_data=True), found)
            connection.sendall(sent + message(context, response(CommandField.C_FIND_RSP, request, 0)))
            context, request, _ = read_message(connection)
        sent = message(3, store_request(1, CT, str(dataset.SOPInstanceUID)))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            last = 2 if start + size >= len(data) else 0
            sent += struct.pack(">BxIIBB", 4, len(piece) + 6, len(piece) + 2, 3, last) + piece
        connection.sendall(sent)
        read_message(connection)
        connection.sendall(message(context, response(CommandField.C_GET_RSP, request, 0)))

    with raw_peer(behave, timeout=PATIENCE) as peer:
        (received,), _ = drain(take(peer, dataset, spool))
    with spool.open(received.file) as stream:
        meta = read_file_meta(stream)
        stream.seek(meta.data_set)
        assert stream.read() == data
    assert [path.name for path in spool.folder.iterdir()] == [received.file]


def encode(dataset: Dataset, *, implicit: bool) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, implicit
    write_dataset(stream, dataset)
    return stream.getvalue()


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
def test_what_an_object_begins_with_is_read_as_a_walk_reads_it_or_not_at_all(implicit: bool) -> None:
    dataset = ct_instance(PatientID="A\\B ", IssuerOfPatientID="Aé", SpecificCharacterSet="ISO_IR 192")
    inner = Dataset()
    inner.PatientID, inner.SOPInstanceUID = "inner", "1.2"
    dataset.ReferencedStudySequence = Sequence([inner])
    front = encode(dataset, implicit=implicit)[:700]
    syntax = IMPLICIT_VR_LITTLE_ENDIAN if implicit else EXPLICIT_VR_LITTLE_ENDIAN
    chance, told = random.Random(5), 0
    fronts = Fronts()
    for _ in range(1500):
        changed = bytearray(front)
        for _ in range(chance.randint(0, 3)):
            changed[chance.randrange(len(changed))] = chance.choice((0, 1, 2, 8, 16, 32, 0x51, 0x53, 0xFE, 0xFF))
        fast = fronts.identity(bytes(changed), syntax)
        if fast is not None:
            told += 1
            # Of an object that is long enough for whatever its first element behind the front announces.
            assert identity._read(BytesIO(changed), 0, 1 << 40, syntax) == fast
    assert told > 500


def test_a_file_meta_group_is_read_as_a_walk_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encoded(ct_instance())
    chance = random.Random(3)
    for _ in range(1500):
        changed = bytearray(whole[:600])
        for _ in range(chance.randint(0, 2)):
            changed[132 + chance.randrange(300)] = chance.choice((0, 1, 2, 8, 16, 0x49, 0x55, 0xFE, 0xFF))
        fast = meta_of(bytes(changed))
        with monkeypatch.context() as patch:
            patch.setattr(filemeta, "_plain_meta", lambda front: None)
            assert meta_of(bytes(changed)) == fast


def meta_of(data: bytes) -> object:
    try:
        return read_file_meta(BytesIO(data))
    except UnreadableObject as error:
        return type(error)
