"""`kiosk forwarder`, and the forwarder inside a terminal: the configured sinks, and how the trail is read for them."""

import os
import signal
import socket
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.audit import AuditSource, Notify, ReadOnlyTrail, TrailClient
from kiosk.audit.forward import Credentials, Forwarder, Header, Kind, Sink, sink_statuses
from kiosk.audit.forward.delivery import OpenTrail
from kiosk.audit.port import TrailReader
from kiosk.cli.endings import ENDINGS
from kiosk.config.loader import load
from kiosk.config.sinks import SinkConfig
from kiosk.errors import ConfigError
from kiosk.operations.status import Look, TrailSight, trail_status
from kiosk.premises import Premises

STOPPED = 1
LOOK = 1.0


def run(options: Namespace) -> int:
    """Delivers until SIGTERM, SIGHUP or SIGINT, sends what it can within seconds, and ends."""
    endings = {*ENDINGS, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, endings)
    premises = Premises(load(Path(options.config)))
    audit = premises.config.audit
    if not audit.sinks:
        raise ConfigError("There is nothing to deliver to: the configuration has no [[audit.sinks]].")
    if audit.forwarder != "process":
        raise ConfigError('The terminal delivers the audit trail itself: audit.forwarder is not "process".')
    notify = Notify(os.environ)
    with forwarder(premises) as one:
        notify.ready()
        while not signal.sigtimedwait(endings, LOOK):
            if not one.is_alive:
                print("kiosk: a delivery has ended by itself.", file=sys.stderr)
                return STOPPED
            notify.alive()
        notify.stopping()
    return 0


@contextmanager
def forwarding(premises: Premises) -> Iterator[None]:
    """Delivers meanwhile, where there are sinks and no process of its own does it. Raises SinkError."""
    audit = premises.config.audit
    if not audit.sinks or audit.forwarder != "terminal":
        yield
        return
    with forwarder(premises):
        yield


def forwarder(premises: Premises) -> Forwarder:
    """The forwarder of a configured kiosk, not yet started."""
    kiosk = premises.config.kiosk
    return Forwarder(
        sinks(premises), trail_opener(premises), cursors(premises), AuditSource(kiosk.name, kiosk.site), premises.clock
    )


def cursors(premises: Premises) -> Path:
    """The folder that says how far each sink has come."""
    return premises.config.cursors_directory


def sinks(premises: Premises) -> tuple[Sink, ...]:
    """The configured sinks."""
    return tuple(map(_sink, premises.config.audit.sinks))


def looking(premises: Premises) -> Look:
    """Reads how the trail and its deliveries stand, on a way of its own."""
    opener, wanted, folder = trail_opener(premises), sinks(premises), cursors(premises)

    def look() -> TrailSight:
        with opener() as trail:
            return TrailSight(trail_status(trail), sink_statuses(wanted, folder, trail))

    return look


def trail_opener(premises: Premises) -> OpenTrail:
    """Opens the trail for reading: behind the daemon's socket where there is one, else its file beside the writer."""
    at = premises.config.audit.socket
    if at is None:
        return lambda: ReadOnlyTrail(premises.trail_path)
    client = TrailClient(at, reads_only=True)
    return lambda: _connected(client)


@contextmanager
def _connected(client: TrailClient) -> Iterator[TrailReader]:
    """The client stays connected between two looks; after a failure it connects again."""
    client.open()
    yield client


def _sink(config: SinkConfig) -> Sink:
    kind = Kind(config.kind)
    credentials = None
    if kind.is_encrypted and config.authority is not None:
        credentials = Credentials(config.authority, config.certificate, config.key, config.server_name)
    return Sink(
        config.name,
        kind,
        config.host,
        config.port,
        config.path,
        credentials,
        Header(socket.gethostname(), msgid=config.msgid, facility=config.facility, bom=config.bom),
        config.timeout,
        0.0 if kind is Kind.FILE else config.resend_seconds,
    )
