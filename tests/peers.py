"""Real archives and receivers on loopback for tests: Orthanc, DCMTK's dcmqrscp and storescp, pynetdicom's qrscp, and
files for them.

Use them as context managers (`with run_orthanc() as server`) or import the fixtures of the same name into a conftest.
Each server gets a folder of its own and a free port, and is ended by its own process id.
"""

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from threading import Event

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from kiosk.errors import ImagingError
from kiosk.imaging.calls import Sent, SentInstance, ToSend
from kiosk.imaging.network.echo import echo
from kiosk.imaging.network.filemeta import read_file_meta
from kiosk.imaging.network.send import send
from kiosk.imaging.peers import Peer, Tls
from kiosk.imaging.spool import Spool

START_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Server:
    """A running archive or receiver. `folder` is where dcmqrscp, qrscp and storescp keep what they received."""

    peer: Peer
    folder: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def stored_files(self) -> list[Path]:
        """What lies in the folder of a storescp, dcmqrscp or qrscp."""
        return [path for path in self.folder.rglob("*") if path.is_file() and path.name not in ("index.dat", "scp.cfg")]


def free_port() -> int:
    """A loopback port nobody listens on, also later: it is below the range that the kernel takes client ports from, and
    in none that others of the tests choose from."""
    while True:
        port = random.SystemRandom().randrange(10001, 20000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def local_peer(name: str, ae_title: str, port: int, timeout: float = 5.0) -> Peer:
    """A peer on loopback as the tests call it."""
    return Peer(name=name, ae_title=ae_title, host="127.0.0.1", port=port, timeout=timeout)


@contextmanager
def _running(
    command: Sequence[str], peer: Peer, folder: Path, environment: dict[str, str] | None = None
) -> Iterator[Server]:
    path = folder.with_suffix(".log")
    variables = os.environ | (environment or {})
    with path.open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables)
    try:
        _await_echo(peer, process, path)
        yield Server(peer, folder, process)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def _await_echo(peer: Peer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            echo(replace(peer, timeout=1.0), Event())
        except ImagingError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{peer} did not start: {log.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.05)
        else:
            return


@contextmanager
def run_orthanc(
    environment: dict[str, str] | None = None, tls: Tls | None = None, **settings: object
) -> Iterator[Server]:
    """Debian's Orthanc with C-FIND, C-GET and C-MOVE open to everybody on loopback; `settings` go into its JSON.

    `tls` is how it is spoken to, where the settings say that it wants TLS.
    """
    with tempfile.TemporaryDirectory(prefix="orthanc-") as name:
        folder = Path(name) / "data"
        folder.mkdir()
        port = free_port()
        configuration = {
            "Name": "ORTHANC",
            "DicomAet": "ORTHANC",
            "DicomPort": port,
            "HttpServerEnabled": False,
            "StorageDirectory": str(folder),
            "IndexDirectory": str(folder),
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DefaultEncoding": "Utf8",
            "UnknownSopClassAccepted": True,
            "Plugins": [],
            **settings,
        }
        path = Path(name) / "orthanc.json"
        path.write_text(json.dumps(configuration))
        peer = replace(local_peer("ORTHANC", "ORTHANC", port), tls=tls)
        with _running(["Orthanc", str(path)], peer, folder, environment) as server:
            yield server


@contextmanager
def run_dcmqrscp(
    environment: dict[str, str] | None = None, *options: str, destinations: Mapping[str, int] | None = None
) -> Iterator[Server]:
    """DCMTK's dcmqrscp with one storage area QRSCP that anybody may read and write; it moves to `destinations`, ports
    of this machine by AE title."""
    with tempfile.TemporaryDirectory(prefix="dcmqrscp-") as name:
        folder = Path(name) / "data"
        folder.mkdir()
        port = free_port()
        hosts = "".join(f"{title} = ({title}, 127.0.0.1, {at})\n" for title, at in (destinations or {}).items())
        configuration = Path(name) / "scp.cfg"
        configuration.write_text(
            f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
            f"HostTable BEGIN\n{hosts}HostTable END\nVendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\nQRSCP {folder} RW (10000, 4096mb) ANY\nAETable END\n"
        )
        command = ["dcmqrscp", *options, "-c", str(configuration), str(port)]
        with _running(command, local_peer("QRSCP", "QRSCP", port), folder, environment) as server:
            yield server


@contextmanager
def run_qrscp(*, destinations: Mapping[str, int] | None = None) -> Iterator[Server]:
    """pynetdicom's qrscp with its SQLite index; it moves to `destinations`, ports of this machine by AE title."""
    with tempfile.TemporaryDirectory(prefix="qrscp-") as name:
        folder = Path(name) / "data"
        folder.mkdir()
        port = free_port()
        settings = {
            "ae_title": "PYQRSCP",
            "port": port,
            "max_pdu": 131072,
            "acse_timeout": 30,
            "dimse_timeout": 30,
            "network_timeout": 30,
            "bind_address": "127.0.0.1",
            "instance_location": folder,
            "database_location": Path(name) / "instances.sqlite",
            "log_identifier": False,
        }
        lines = ["[DEFAULT]", *(f"{key}: {value}" for key, value in settings.items())]
        for title, at in (destinations or {}).items():
            lines += [f"[{title}]", "address: 127.0.0.1", f"port: {at}"]
        configuration = Path(name) / "qrscp.ini"
        configuration.write_text("\n".join(lines))
        command = [sys.executable, "-m", "pynetdicom", "qrscp", "-q", "-c", str(configuration)]
        with _running(command, local_peer("PYQRSCP", "PYQRSCP", port, timeout=20), folder) as server:
            yield server


@contextmanager
def run_storescp(
    *options: str, environment: dict[str, str] | None = None, port: int | None = None, tls: Tls | None = None
) -> Iterator[Server]:
    """DCMTK's storescp; by default it takes every transfer syntax and keeps what comes, byte for byte.

    `tls` is how it is spoken to, where the options say that it wants TLS.
    """
    with tempfile.TemporaryDirectory(prefix="storescp-") as name:
        folder = Path(name) / "data"
        folder.mkdir()
        port = port or free_port()
        chosen = options or ("+xa", "+B", "-pdu", "131072")
        command = ["storescp", *chosen, "-od", str(folder), "-aet", "STORESCP", str(port)]
        peer = replace(local_peer("STORESCP", "STORESCP", port), tls=tls)
        with _running(command, peer, folder, environment) as server:
            yield server


@pytest.fixture(scope="session")
def orthanc() -> Iterator[Server]:
    """An Orthanc for this worker, empty at first: use patient ids of your own."""
    with run_orthanc() as server:
        yield server


@pytest.fixture(scope="session")
def dcmqrscp() -> Iterator[Server]:
    """A dcmqrscp for this worker, empty at first."""
    with run_dcmqrscp() as server:
        yield server


@pytest.fixture(scope="session")
def qrscp() -> Iterator[Server]:
    """A qrscp of pynetdicom for this worker, empty at first."""
    with run_qrscp() as server:
        yield server


@pytest.fixture(scope="session")
def storescp() -> Iterator[Server]:
    """A storescp for this worker."""
    with run_storescp() as server:
        yield server


def ct_instance(**attributes: object) -> Dataset:
    """A small CT instance (32 x 32, 16 bit); attributes by keyword replace its own. Transfer syntax: Explicit VR LE."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = Dataset()
    dataset.file_meta = meta
    values: dict[str, object] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "StudyDate": "20260301",
        "StudyTime": "101500",
        "AccessionNumber": "A1",
        "Modality": "CT",
        "StudyDescription": "Head",
        "SeriesDescription": "Axial",
        "PatientName": "Doe^Jane",
        "PatientID": "P1",
        "PatientBirthDate": "19700102",
        "PatientSex": "F",
        "StudyID": "1",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "Rows": 32,
        "Columns": 32,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelSpacing": [1, 1],
        "PixelData": bytes(2048),
        **attributes,
    }
    if "SpecificCharacterSet" in values:
        dataset.SpecificCharacterSet = values.pop("SpecificCharacterSet")
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def ct_series(count: int, **attributes: object) -> list[Dataset]:
    """A series of `count` instances that differ in number and SOP Instance UID."""
    shared = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), **attributes}
    return [ct_instance(InstanceNumber=number, **shared) for number in range(1, count + 1)]


def spool_instances(spool: Spool, datasets: Sequence[Dataset]) -> tuple[ToSend, ...]:
    """Writes data sets into a spool as DICOM files."""
    return tuple(spool_instance(spool, dataset) for dataset in datasets)


def spool_instance(spool: Spool, dataset: Dataset) -> ToSend:
    """Writes one data set into a spool."""
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    with spool.create() as file:
        file.write(stream.getvalue())
        name = file.commit()
    with spool.open(name) as opened:
        meta = read_file_meta(opened)
    return ToSend(meta.sop_instance_uid, meta.sop_class_uid, meta.transfer_syntax_uid, name, spool.size(name))


def fill(peer: Peer, datasets: Sequence[Dataset]) -> None:
    """Puts data sets into an archive; every one must be taken."""
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder))
        answers, result = drain(send(peer, spool_instances(spool, datasets), spool, Event()))
        assert result == Sent(len(datasets), 0), [answer for answer in answers if isinstance(answer, SentInstance)]


def drain(generator: object) -> tuple[list[object], object]:
    """Everything a generator yields, and what it returns."""
    items: list[object] = []
    step: Callable[[], object] = generator.__next__  # type: ignore[attr-defined] # any generator
    while True:
        try:
            items.append(step())
        except StopIteration as stop:
            return items, stop.value
