"""Delivery of the trail to the hospital's audit record repositories (IHE ITI-20), each at its own pace.

    sink = Sink("ARR", Kind.TLS, "arr.hospital.example", 6514, credentials=Credentials(authority, certificate, key))
    forwarder = Forwarder([sink], lambda: ReadOnlyTrail(path), cursors, AuditSource("kiosk-7"), SystemClock())
    forwarder.start()

- In order and at least once. The trail is the spool: each sink has a cursor, a small file, and nothing is copied.
- `Kind.TLS` is syslog as ITI-20 wants it (RFC 5424, RFC 5425); since nothing in it is acknowledged, the cursor moves
  only past what the receiver had read when a connection ended in good order, and outlived by `resend_seconds`.
  `Kind.RELP` moves it by acknowledgements. `stamp` says how the same message, sent twice, is known again.
- A receiver has to take messages of the trail's size: rsyslog cuts at 8 KiB unless `maxMessageSize` says more,
  syslog-ng at 64 KiB unless `log-msg-size()` does. rsyslog acknowledges RELP when a message is in its queue: with
  `queue.type="Direct"`, or a disk-assisted one, that is when it is safe.
"""

from kiosk.audit.forward.delivery import Pace
from kiosk.audit.forward.forwarder import Forwarder
from kiosk.audit.forward.sink import Credentials, Header, Kind, Sink, SinkError
from kiosk.audit.forward.status import SinkStatus, sink_status, sink_statuses

__all__ = [
    "Credentials",
    "Forwarder",
    "Header",
    "Kind",
    "Pace",
    "Sink",
    "SinkError",
    "SinkStatus",
    "sink_status",
    "sink_statuses",
]
