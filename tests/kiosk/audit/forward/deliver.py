"""A forwarder as a process, run as a module with a JSON object as its argument; it ends with its standard input."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kiosk.audit.forward import Credentials, Kind, Sink
from tests.kiosk.audit.forward.authority import CLIENT, SERVER, Authority
from tests.kiosk.audit.forward.kit import delivering, sink_to
from tests.kiosk.audit.forward.namespace import ROOT
from tests.kiosk.audit.forward.receivers import Receiver


@contextmanager
def process_delivering(
    receiver: Receiver, authority: Authority, trail_path: Path, folder: Path, before: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Such a process, delivering to the receiver; killed at the end, if it still runs then."""
    sink_to(receiver, authority)  # issues what the kiosk shows
    said = {
        "kind": receiver.kind,
        "port": receiver.port,
        "certificates": str(authority.folder),
        "trail": str(trail_path),
        "folder": str(folder),
    }
    command = ["setpriv", "--pdeathsig", "KILL", *before, sys.executable, "-m", __name__, json.dumps(said)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def sink_of(said: dict[str, str]) -> Sink:
    """The receiver that was meant."""
    folder, kind = Path(said["certificates"]), Kind(said["kind"])
    credentials = Credentials(folder / "ca.pem", folder / f"{CLIENT}.pem", folder / f"{CLIENT}.key", SERVER)
    sink = Sink("ARR", kind, "127.0.0.1", int(said["port"]), credentials=credentials, timeout=2.0)
    return replace(sink, resend_seconds=0.0 if kind is Kind.RELP else 1.0)


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    with delivering(sink_of(wanted), Path(wanted["trail"]), Path(wanted["folder"])):
        sys.stdin.read()
