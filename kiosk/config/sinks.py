"""[[audit.sinks]]: the repositories that the audit trail is delivered to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from kiosk.config import checks
from kiosk.config.checks import between
from kiosk.config.section import Section
from kiosk.errors import ConfigError

DAY = 24 * 3600


@dataclass(frozen=True)
class SinkConfig(Section):
    """One repository. `kind`: "tls" is syslog over TLS (ITI-20), "relp" acknowledges every message over TLS; "tcp" and
    "udp" are for a lab, nothing is encrypted there; "file" appends to `path`.

    `authority` vouches for the receiver, whose certificate must be made out to `server_name`, left out: to `host`.
    `certificate` and `key` are the kiosk's own. All are PEM files, read anew for every connection. What was sent in the
    last `resend_seconds` before a receiver broke off is sent again; 0 trusts that whatever was read or acknowledged is
    kept.
    """

    name: Annotated[str, checks.text(64)]
    kind: Annotated[str, checks.one_of("tls", "relp", "tcp", "udp", "file")]
    host: Annotated[str, checks.optional_host] = ""
    port: Annotated[int, between(0, 65535)] = 0
    path: Path | None = None
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: Annotated[str, checks.optional_host] = ""
    facility: Annotated[int, between(0, 23)] = 10
    msgid: Annotated[str, checks.message_id] = "DICOM+RFC3881"
    bom: bool = False
    timeout: Annotated[float, between(0.1, 600)] = 10.0
    resend_seconds: Annotated[float, between(0, DAY)] = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind == "file":
            self._require("path", self.path is not None)
            return
        self._require("host", self.host != "")
        self._require("port", self.port != 0)
        if self.kind in ("tls", "relp"):
            self._require("authority", self.authority is not None)
            self._require("certificate", self.certificate is not None)
            self._require("key", self.key is not None)

    def _require(self, key: str, is_there: bool) -> None:
        if not is_there:
            raise ConfigError(f"{key} is missing: a sink of kind {self.kind} has one.")
