"""Where the trail is delivered to: one repository, its way and its header, as plain values."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from kiosk.errors import KioskError

AUDIT_FACILITY: Final = 10
"""authpriv, "security/authorization messages" (RFC 5424 6.2.1), as PS3.15 A.6 wants it."""
DEFAULT_MSGID: Final = "DICOM+RFC3881"


class SinkError(KioskError):
    """A sink did not take what it was given; the sentence names it and says what to do."""


class NodeRefused(SinkError):
    """One end of a TLS connection did not prove to be who the other expects (PS3.15 A.5.3.11, Node Authentication)."""


class Kind(Enum):
    """How messages travel. TLS, TCP and UDP carry syslog (RFC 5425, 6587, 5426); only RELP acknowledges each one."""

    TLS = "tls"
    RELP = "relp"
    TCP = "tcp"
    UDP = "udp"
    FILE = "file"

    @property
    def is_encrypted(self) -> bool:
        """Whether both ends show certificates and nobody reads along."""
        return self in (Kind.TLS, Kind.RELP)


@dataclass(frozen=True)
class Header:
    """What stands before every message (RFC 5424 6.2). `bom` puts a byte order mark before the XML, as some want it."""

    host_name: str = "-"
    app_name: str = "kiosk"
    msgid: str = DEFAULT_MSGID
    facility: int = AUDIT_FACILITY
    bom: bool = False


@dataclass(frozen=True)
class Credentials:
    """PEM files, read anew for every connection: who vouches for the sink, and what we show it.

    `server_name` is what its certificate must be made out to; empty: the host.
    """

    authority: Path
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""


@dataclass(frozen=True)
class Sink:
    """One destination. `timeout` (seconds) bounds connecting, sending and each answer.

    A receiver that dies loses what it had not written yet: after any failure, what was sent in the last
    `resend_seconds` is sent again. 0 trusts that what has arrived is kept.
    """

    name: str
    kind: Kind
    host: str = ""
    port: int = 0
    path: Path | None = None
    credentials: Credentials | None = None
    header: Header = field(default_factory=Header)
    timeout: float = 10.0
    resend_seconds: float = 0.0

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return str(self.path) if self.kind is Kind.FILE else f"{self.host}:{self.port}"

    def error(self, sentence: str) -> SinkError:
        """What went wrong there, with its name in front."""
        return SinkError(f"Audit sink {self.name}: {sentence}")

    def refused(self, sentence: str) -> NodeRefused:
        """The same where one end refused the other."""
        return NodeRefused(f"Audit sink {self.name}: {sentence}")
