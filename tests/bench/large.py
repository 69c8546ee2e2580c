"""One instance of 500 MB, and a sparse one over 4 GiB, to the sink beside `storescu`; and what memory they take.

Ours goes from the page cache to the socket: the worker that sends it grows by nothing that depends on its size.
"""

import os
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Event, Thread

from pydicom.dataset import Dataset

from kiosk.imaging.calls import Sent, ToSend
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from tests.bench.instances import instances
from tests.bench.receivers import NODELAY, QUICK, built, finish, run_sink
from tests.bench.row import cost_row, row
from tests.peers import ct_instance, drain

ROUNDS = 1 if QUICK else 5
MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30
FRAMES = 1000
GROWTH = 10.0
"""MiB."""
LOOK_SECONDS = 0.002


@dataclass(frozen=True)
class Large:
    """What is sent, as it is called, and the folder that nothing else lies in."""

    word: str
    file: ToSend
    folder: Path

    @property
    def mebibytes(self) -> float:
        """Its size."""
        return self.file.size / MEBIBYTE


def rows() -> Iterator[dict[str, object]]:
    """MiB a second, and MiB of resident memory."""
    imaging = WorkerImaging()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            place = Path(name)
            with run_sink(built("sink.c", place)) as sink, instances("small", 50) as (folder, files):
                drain(imaging.send(sink, files, str(folder), Event()))  # the worker has loaded what it needs
                for large in (_multi_frame(place / "frames"), _sparse(place / "sparse")):
                    yield from _rows(imaging, sink, large)
    finally:
        imaging.close()


def _rows(imaging: WorkerImaging, sink: Peer, large: Large) -> Iterator[dict[str, object]]:
    rates: list[tuple[float, float]] = []
    growths: list[tuple[float, float]] = []
    _ours(imaging, sink, large)  # what the page cache holds afterwards, it holds for both
    for _ in range(ROUNDS):
        with _Resident(imaging.process_ids[0]) as resident:
            ours = _ours(imaging, sink, large)
        growths.append((resident.growth, GROWTH))
        rates.append((ours, _theirs(sink, large)))
    name = f"push {large.word}, {large.mebibytes:.0f} MiB, to a sink"
    yield row(name, "storescu nd", "MiB/s", 2.0, rates)
    yield cost_row(f"{name}: growth of the worker", "its bound", "MiB resident", 1.0, growths)


def _ours(imaging: WorkerImaging, sink: Peer, large: Large) -> float:
    started = time.monotonic()
    _, result = drain(imaging.send(sink, (large.file,), str(large.folder), Event()))
    seconds = time.monotonic() - started
    if result != Sent(1, 0):
        raise SystemExit(f"{sink} did not take {large.word}: {result}")
    return large.mebibytes / seconds


def _theirs(sink: Peer, large: Large) -> float:
    place = ["-aec", sink.ae_title, "-pdu", "131072", sink.host, str(sink.port)]
    started = time.monotonic()
    finish(["storescu", *place, str(large.folder / large.file.file)], NODELAY)
    return large.mebibytes / (time.monotonic() - started)


class _Resident:
    """Looks at the resident memory of a process while something is done."""

    def __init__(self, process_id: int) -> None:
        self.growth = 0.0
        self._path = Path(f"/proc/{process_id}/status")
        self._done = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Resident":
        self._before = self._now()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            self.growth = max(self.growth, self._now() - self._before)

    def _now(self) -> float:
        """MiB."""
        line = next(line for line in self._path.read_text().splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


def _multi_frame(folder: Path) -> Large:
    """Every byte of it lies in the file."""
    dataset = ct_instance(NumberOfFrames=FRAMES, Rows=512, Columns=512, PixelData=b"\0\0")
    size = FRAMES * 512 * 512 * 2
    return _large("a multi-frame", folder, dataset, [(0x7FE0, 0x0010, b"OW", size)], bytes(MEBIBYTE))


def _sparse(folder: Path) -> Large:
    """Nothing of its pixels lies in the file; no element can be longer than 4 GiB."""
    dataset = ct_instance(PixelData=b"\0\0")
    elements = [(0x7FE1 + 2 * number, 0x1001, b"OB", GIBIBYTE) for number in range(4)]
    elements.append((0x7FE9, 0x1001, b"OB", 64 * MEBIBYTE))
    return _large("a sparse instance", folder, dataset, elements)


def _large(
    word: str, folder: Path, dataset: Dataset, elements: list[tuple[int, int, bytes, int]], filling: bytes = b""
) -> Large:
    del dataset.PixelData
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    spool = Spool(folder, reserve=0)
    spool.prepare()
    with spool.create() as file:
        file.write(stream.getvalue())
        for group, element, vr, length in elements:
            file.write(struct.pack("<HH2sHI", group, element, vr, 0, length))
            _fill(file.stream.fileno(), length, filling)
        name = file.commit()
    uid, kind = str(dataset.SOPInstanceUID), str(dataset.SOPClassUID)
    return Large(word, ToSend(uid, kind, "1.2.840.10008.1.2.1", name, spool.size(name)), folder)


def _fill(descriptor: int, length: int, filling: bytes) -> None:
    end = os.lseek(descriptor, 0, os.SEEK_CUR) + length
    while filling and os.lseek(descriptor, 0, os.SEEK_CUR) < end:
        os.write(descriptor, filling[: end - os.lseek(descriptor, 0, os.SEEK_CUR)])
    os.ftruncate(descriptor, end)
    os.lseek(descriptor, end, os.SEEK_SET)
