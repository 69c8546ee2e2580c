"""More kinds of objects than one association has contexts for, to real receivers, and back again."""

from dataclasses import replace
from pathlib import Path
from threading import Event

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless, generate_uid
from pynetdicom import AllStoragePresentationContexts

from kiosk.imaging.calls import Received, Retrieved, Sent, ToSend
from kiosk.imaging.network.filemeta import read_file_meta
from kiosk.imaging.network.retrieve import retrieve
from kiosk.imaging.network.send import batches, send
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from tests.peers import Server, ct_instance, drain, run_storescp, spool_instance

SYNTAXES = (ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless)
CLASSES = [str(context.abstract_syntax) for context in AllStoragePresentationContexts[:44]]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    return spool


def study(spool: Spool, patient: str) -> tuple[ToSend, ...]:
    """One object of each class in each syntax, without pixels: nobody looks into them."""
    shared = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), "PatientID": patient}
    files = []
    for number, (sop_class, syntax) in enumerate((one, other) for one in CLASSES for other in SYNTAXES):
        dataset: Dataset = ct_instance(SOPClassUID=sop_class, InstanceNumber=number, **shared)
        del dataset.PixelData
        dataset.file_meta.TransferSyntaxUID = syntax
        files.append(spool_instance(spool, dataset))
    return tuple(files)


def data_set(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(read_file_meta(file).data_set)
        return file.read()


@pytest.fixture(params=[1, 2], ids=["one lane", "two lanes"])
def lanes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def pushed(peer: Peer, files: tuple[ToSend, ...], spool: Spool) -> None:
    answers, result = drain(send(peer, files, spool, Event()))
    assert result == Sent(len(files), 0), answers
    assert sorted(one.sop_instance_uid for one in answers) == sorted(file.sop_instance_uid for file in files)  # type: ignore[attr-defined] # answers


def test_storescp_gets_every_byte_over_two_associations(spool: Spool, lanes: int) -> None:
    files = study(spool, "MC-storescp")
    assert [len(batch) for batch in batches(files)] == [128, 4]
    with run_storescp("+xa", "+B", "-pm", "-pdu", "131072") as server:
        pushed(replace(server.peer, associations=lanes), files, spool)
        stored = {path.name.split(".", 1)[1]: path for path in server.stored_files()}
        assert len(stored) == len(files)
        for file in files:
            assert data_set(stored[file.sop_instance_uid]) == data_set(spool.path(file.file))


def test_orthanc_takes_them_and_gives_them_all_back_as_they_were(orthanc: Server, spool: Spool) -> None:
    files = study(spool, "MC-orthanc")
    pushed(orthanc.peer, files, spool)
    first = pydicom.dcmread(spool.path(files[0].file))
    back = retrieve(orthanc.peer, str(first.StudyInstanceUID), "", (), spool, Event())
    received, result = drain(back)
    assert result == Retrieved(len(files), 0)
    sent = {file.sop_instance_uid: file for file in files}
    for one in received:
        assert isinstance(one, Received)
        assert one.transfer_syntax_uid == sent[one.sop_instance_uid].transfer_syntax_uid
        assert data_set(spool.path(one.file)) == data_set(spool.path(sent[one.sop_instance_uid].file))
