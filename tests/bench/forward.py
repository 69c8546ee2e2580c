"""Forwarding the trail to a TLS sink that discards everything, beside bare sends of the finished messages to it."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.audit import AuditSource, Entry, Node, Outcome, PatientRef, Phase, ReadOnlyTrail, Trail, events
from kiosk.audit.forward import Forwarder, Header, Kind, Pace, Sink
from kiosk.audit.forward.cursor import CursorFile
from kiosk.audit.forward.stream import Position, parcels
from kiosk.audit.forward.syslog import counted, message
from kiosk.audit.forward.tls import secure
from kiosk.clock import SystemClock
from tests.bench.audit import ACTOR, PATIENT, STUDY, WHO
from tests.bench.row import row
from tests.kiosk.audit.forward.authority import SERVER, Authority

ROUNDS = 5
RECORDS = 2000
GOAL = 0.01
"""Of the rate of bare sends: reading, decoding, checking and rendering a record takes longer than sending it."""
SOURCE = AuditSource("bench", "bench")
PACE = Pace(poll=0.01, cursor=0.05)
DISCARD = """
import socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
def discard(accepted):
    with context.wrap_socket(accepted, server_side=True) as connection:
        while connection.recv(65536):
            pass
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=discard, args=(listener.accept()[0],), daemon=True).start()
"""


def rows() -> Iterator[dict[str, object]]:
    """Records a second, one message of about 2 KiB each."""
    with tempfile.TemporaryDirectory() as name, _discarding(Path(name)) as sink:
        folder = Path(name)
        path = _trail(folder)
        finished = _finished(path, sink.header)
        rounds = [(_forward(path, folder / f"cursors-{turn}", sink), _send(finished, sink)) for turn in range(ROUNDS)]
    yield row("audit: forward to TLS syslog", "bare TLS sends of the same messages", "records/s", GOAL, rounds)


def _trail(folder: Path) -> Path:
    patient: PatientRef = PATIENT
    messages = events.transferred(WHO, Node("KIOSK"), Node("PACS", "10.0.0.5"), (STUDY,), patient, Outcome.SUCCESS)
    entry = Entry("push", "act", Phase.EVENT, ACTOR, "Pushed", Outcome.SUCCESS, messages, patient=patient)
    with Trail(folder / "trail" / "trail.db", "bench", SOURCE, SystemClock(), reserve_bytes=0) as trail:
        for _ in range(RECORDS):
            trail.append(entry)
    return trail.path


def _finished(path: Path, header: Header) -> list[bytes]:
    found, position = [], Position()
    with ReadOnlyTrail(path) as trail:
        while page := parcels(trail, position, "bench", SOURCE):
            found += [counted(message(one, header, "bench")) for parcel in page for one in parcel.messages]
            position = page[-1].position
    return found


def _forward(path: Path, cursors: Path, sink: Sink) -> float:
    cursor = CursorFile(cursors, sink.name)
    with Forwarder([sink], lambda: ReadOnlyTrail(path), cursors, SOURCE, SystemClock(), PACE):
        start = time.perf_counter()
        while cursor.read().sent < RECORDS:
            time.sleep(0.01)
        return RECORDS / (time.perf_counter() - start)


def _send(finished: list[bytes], sink: Sink) -> float:
    connection = secure(sink)
    start = time.perf_counter()
    for one in finished:
        connection.sendall(one)
    taken = time.perf_counter() - start
    connection.close()
    return len(finished) / taken


@contextmanager
def _discarding(folder: Path) -> Iterator[Sink]:
    authority = Authority(folder)
    certificate, key = authority.issue(SERVER)
    command = [sys.executable, "-c", DISCARD, str(certificate), str(key)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Sink("Bench", Kind.TLS, "127.0.0.1", port, credentials=authority.credentials())
        finally:
            process.kill()
