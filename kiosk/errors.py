"""Everything the kiosk raises on purpose. The message of each is a sentence fit for the screen.

KioskError
 ├── ConfigError            kiosk.toml says something it must not
 ├── TrailError             the audit trail cannot be written or does not verify: out of service
 ├── NotAllowed             this principal may not do this
 ├── NoSession              the session has ended
 ├── DirectoryError         the directory of people refuses a change: name taken, badge known, PIN too weak
 │    └── DirectoryUnavailable   it cannot be read or written: nobody gets in
 ├── ImagingError
 │    ├── PeerUnreachable   no connection, or no answer in time
 │    │    └── PeerUntrusted   TLS: it could not prove who it is, or did not believe us
 │    ├── PeerRefused       the peer said no: association rejected, context not granted, failure status
 │    │    ├── PeerBusy     it said: not now
 │    │    └── PeerLacks    it does not offer the service: no presentation context granted
 │    ├── PeerAborted       the association broke off
 │    ├── UnreadableObject  a DICOM object that cannot be parsed or shown
 │    └── WorkerDied        the imaging worker ended in the middle of this call
 ├── StorageFull            the disk is under its reserve
 └── Cancelled              the person cancelled
"""


class KioskError(Exception):
    """Anything the kiosk raises on purpose; `str()` is a sentence fit for the screen."""


class ConfigError(KioskError):
    """The configuration names something unknown or forbidden."""


class TrailError(KioskError):
    """The trail cannot be written or does not verify; nothing may be done."""


class NotAllowed(KioskError):
    """The principal's role does not permit the act."""


class NoSession(KioskError):
    """The session has ended."""


class DirectoryError(KioskError):
    """The directory of people refuses a change; the sentence says why."""


class DirectoryUnavailable(DirectoryError):
    """The directory of people cannot be read or written; every decision is a denial."""


class ImagingError(KioskError):
    """A peer, a file or the worker failed."""


class PeerUnreachable(ImagingError):
    """No connection, or no answer within the configured time."""


class PeerUntrusted(PeerUnreachable):
    """TLS did not come about: the peer could not prove who it is, or did not believe us.

    `node` is where that peer is to be found, "host:port"; empty where nobody can say.
    """

    def __init__(self, message: str, node: str = "") -> None:
        super().__init__(message)
        self.node = node


class PeerRefused(ImagingError):
    """The peer rejected the association, granted no context, or answered with a failure status."""


class PeerBusy(PeerRefused):
    """The peer rejected the association for now: congested, or at its limit."""


class PeerLacks(PeerRefused):
    """The peer granted no presentation context for what was wanted."""


class PeerAborted(ImagingError):
    """The association broke off."""


class UnreadableObject(ImagingError):
    """A DICOM object cannot be parsed or shown."""


class WorkerDied(ImagingError):
    """The imaging worker ended in the middle of this call."""


class StorageFull(KioskError):
    """The disk is under its reserve."""


class Cancelled(KioskError):
    """The person cancelled."""

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(message)
