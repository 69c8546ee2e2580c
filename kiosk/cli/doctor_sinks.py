"""What `kiosk doctor` finds out about the sinks of the audit trail."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from cryptography import x509

from kiosk.audit.forward import Kind, Sink, SinkError
from kiosk.audit.forward.delivery import open_channel
from kiosk.cli.forwarding import sinks
from kiosk.premises import Premises
from readers.doctor import Finding, State

NOTICE: Final = timedelta(days=30)
"""So long before its end a certificate is mentioned."""


def sink_findings(premises: Premises) -> Iterator[Finding]:
    """Whether each sink can be reached and admits us, without sending anything; certificates that end soon."""
    for sink in sinks(premises):
        yield _reached(sink)
        yield from _ending(sink, premises)


def _reached(sink: Sink) -> Finding:
    try:
        open_channel(sink).close()
    except SinkError as error:
        said, _, fix = str(error).partition(". ")
        return Finding(State.WRONG, f"{said}.", fix or "Mend [[audit.sinks]].")
    if sink.kind is Kind.FILE:
        return Finding(State.OK, f"The audit sink {sink.name} is the file {sink.place}.")
    if sink.kind.is_encrypted:
        return Finding(State.OK, f"The audit sink {sink.name} at {sink.place} admits this kiosk.")
    said = f"The audit sink {sink.name} at {sink.place} is not encrypted: patients' names can be read on the way."
    return Finding(State.UNKNOWN, said, "Leave tcp and udp to a lab; use relp or tls.")


def _ending(sink: Sink, premises: Premises) -> Iterator[Finding]:
    path = sink.credentials.certificate if sink.credentials else None
    if path is None:
        return
    try:
        end = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):  # said already, when it was to be used
        return
    if end - premises.clock.now() < NOTICE:
        said = f"The certificate {path} that audit sink {sink.name} is shown ends on {end:%Y-%m-%d}."
        yield Finding(State.WRONG, said, "Renew it; the new files are used without a restart.")
