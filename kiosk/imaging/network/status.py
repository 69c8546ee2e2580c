"""Where rejections, aborts and status codes become errors and values: nobody else reads a code.

Sources: PS3.8 9.3.4 and 9.3.8 (A-ASSOCIATE-RJ, A-ABORT), PS3.7 Annex C (general), PS3.4 B.2.3 (C-STORE),
C.4.1.1.4 (C-FIND), C.4.2.1.5 (C-MOVE), C.4.3.1.4 (C-GET).
"""

import errno
import os
from enum import Enum, auto
from typing import Final

from kiosk.errors import PeerAborted, PeerBusy, PeerLacks, PeerRefused, PeerUnreachable, PeerUntrusted
from kiosk.imaging.calls import SendState
from kiosk.imaging.peers import Peer
from readers.text import safe_text

SUCCESS: Final = 0x0000
CANCELLED: Final = 0xFE00
PENDING: Final = frozenset({0xFF00, 0xFF01})

TRANSIENT: Final = 2
"""Result of a rejection that may pass; the other one is permanent (PS3.8 table 9-21)."""
BY_PRESENTATION: Final = 3
"""Source of a rejection: its presentation-related reasons are passing ones (PS3.8 table 9-21)."""

OUT_OF_RESOURCES: Final = 0xA700
MISMATCH: Final = 0xA900
UNRECOGNISED_OPERATION: Final = 0x0211
PROCESSING_FAILURE: Final = 0x0110
RESOURCE_LIMITATION: Final = 0x0213
NOT_AUTHORISED: Final = 0x0124
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
CANNOT_UNDERSTAND: Final = 0xC000

_REJECTIONS: Final = {
    (1, 1): "no reason given",
    (1, 2): "application context not supported",
    (1, 3): "it does not know our AE title {calling}",
    (1, 7): "it is not called {called}",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "it is congested, try again later",
    (3, 2): "it has too many associations, try again later",
}
_ABORTS: Final = {
    0: "no reason given",
    1: "unrecognised PDU",
    2: "unexpected PDU",
    4: "unrecognised PDU parameter",
    5: "unexpected PDU parameter",
    6: "invalid PDU parameter",
}
_GENERAL: Final = {
    0x0001: "optional attributes are not supported",
    0x0105: "no such attribute",
    0x0106: "invalid attribute value",
    0x0107: "attribute list error",
    0x0110: "processing failure",
    0x0111: "duplicate SOP instance",
    0x0112: "no such SOP instance",
    0x0113: "no such event type",
    0x0114: "no such argument",
    0x0115: "invalid argument value",
    0x0116: "attribute value out of range",
    0x0117: "invalid SOP instance",
    0x0118: "no such SOP class",
    0x0119: "class and instance conflict",
    0x0120: "missing attribute",
    0x0121: "missing attribute value",
    0x0122: "SOP class not supported",
    0x0123: "no such action",
    0x0124: "not authorised",
    0x0210: "duplicate invocation",
    0x0211: "unrecognised operation",
    0x0212: "mistyped argument",
    0x0213: "resource limitation",
    0xFE00: "cancelled",
}
_STORE: Final = {
    0xB000: "coercion of data elements",
    0xB006: "elements discarded",
    0xB007: "data set does not match SOP class",
}
_QUERY: Final = {
    0xA700: "out of resources",
    0xA701: "out of resources, it cannot count the matches",
    0xA702: "out of resources, it cannot send",
    0xA801: "move destination unknown",
    0xA900: "identifier does not match SOP class",
    0xB000: "not everything could be sent",
}
_WARNINGS: Final = frozenset({0x0001, 0x0107, 0x0116})


class FindStep(Enum):
    """What one C-FIND response means for the query."""

    ANSWER = auto()
    FINISHED = auto()


def os_error(code: int) -> OSError:
    """The error of a connect that went on in the background."""
    return OSError(code, os.strerror(code))


def unreachable(peer: Peer, failure: OSError | None) -> PeerUnreachable:
    """No connection."""
    reason = {
        errno.ECONNREFUSED: "connection refused",
        errno.EHOSTUNREACH: "no route to the host",
        errno.ENETUNREACH: "no network",
        errno.ETIMEDOUT: "no answer",
        errno.ECONNRESET: "connection reset",
    }.get(failure.errno or 0 if failure is not None else 0)
    if reason is None:
        reason = "the host name is not known" if failure is not None else "the host has no address"
    return PeerUnreachable(f"{peer} cannot be reached: {reason}.")


def silent(peer: Peer) -> PeerUnreachable:
    """A connection or an answer did not come in time."""
    return PeerUnreachable(f"{peer} did not answer within {peer.timeout:g} s.")


def stalled(peer: Peer, seconds: float) -> PeerUnreachable:
    """Pending responses came and came, and nothing else."""
    return PeerUnreachable(f"{peer} said for {seconds:.0f} s that there is more to come, and sent nothing of it.")


def endless(peer: Peer, seconds: float) -> PeerUnreachable:
    """Answers to a query came one by one, and never the last."""
    return PeerUnreachable(f"{peer} has been answering a query for {seconds:.0f} s, and comes to no end.")


def closed(peer: Peer) -> PeerAborted:
    """The connection broke without a word."""
    return PeerAborted(f"{peer} closed the connection.")


def babble(peer: Peer, what: str) -> PeerAborted:
    """The peer sent what no DICOM peer may send; we end the association."""
    return PeerAborted(f"The association with {peer} was ended: it sent {what}.")


def speaks_tls(peer: Peer) -> PeerUntrusted:
    """A TLS alert came where a PDU was awaited."""
    return PeerUntrusted(f"{peer} speaks TLS, and is configured without.", peer.place)


def released(peer: Peer) -> PeerAborted:
    """The peer released the association in the middle of an operation."""
    return PeerAborted(f"{peer} ended the association in the middle.")


def rejected(peer: Peer, result: int, source: int, reason: int) -> PeerRefused:
    """A-ASSOCIATE-RJ (PS3.8 table 9-21); PeerBusy where it says that this passes."""
    words = _REJECTIONS.get((source, reason), f"reason {source}/{reason}")
    words = words.format(calling=peer.calling_ae_title, called=peer.ae_title)
    kind = PeerBusy if result == TRANSIENT or source == BY_PRESENTATION else PeerRefused
    return kind(f"{peer} rejected the association: {words}.")


def aborted(peer: Peer, source: int, reason: int) -> PeerAborted:
    """A-ABORT (PS3.8 table 9-26)."""
    if source == 2:
        return PeerAborted(f"{peer} aborted the association: {_ABORTS.get(reason, f'reason {reason}')}.")
    return PeerAborted(f"{peer} aborted the association.")


def not_granted(peer: Peer, service: str) -> PeerLacks:
    """No presentation context for what we want."""
    return PeerLacks(f"{peer} does not offer {service}.")


def words(code: int, comment: str = "", table: dict[int, str] | None = None) -> str:
    """A status in words, with its code and the peer's own comment."""
    text = (table or {}).get(code) or _GENERAL.get(code) or _family(code)
    note = safe_text(comment)[:64].strip()
    return f"{text} ({code:04X}): {note}" if note else f"{text} ({code:04X})"


def _family(code: int) -> str:
    family = code >> 8
    if family == 0xA7:
        return "out of resources"
    if family == 0xA9:
        return "data set does not match SOP class"
    if code >> 12 == 0xC:
        return "cannot understand"
    if code >> 12 == 0xB:
        return "warning"
    return "unknown status"


def store_state(code: int, comment: str) -> tuple[SendState, str]:
    """What a C-STORE response says about the instance (PS3.4 B.2.3); B000, B006 and B007 mean it is stored."""
    if code == SUCCESS:
        return SendState.STORED, ""
    reason = words(code, comment, _STORE)
    if is_warning(code):
        return SendState.STORED_WITH_WARNING, reason
    if is_passing(code):
        return SendState.RETRY_LATER, reason
    return SendState.FAILED, reason


def find_step(peer: Peer, code: int, comment: str) -> FindStep:
    """What a C-FIND response says while nobody has cancelled it; raises PeerRefused for a failure, and for an archive
    that cancels by itself: nobody knows what it left out."""
    if code in PENDING:
        return FindStep.ANSWER
    if code == SUCCESS or is_warning(code):
        return FindStep.FINISHED
    kind = PeerBusy if is_passing(code) else PeerRefused
    raise kind(f"{peer} refused the query: {words(code, comment, _QUERY)}.")


def retrieve_reason(code: int, comment: str) -> str:
    """Why a C-GET or C-MOVE did not bring everything, as its final response says; empty for success."""
    return "" if code == SUCCESS else words(code, comment, _QUERY)


def retrieve_refused(peer: Peer, reason: str, *, passing: bool = False) -> PeerRefused:
    """A retrieval that brought nothing at all; PeerBusy where what was in its way passes by itself."""
    kind = PeerBusy if passing else PeerRefused
    return kind(f"{peer} refused to send: {reason}.")


def echo_refused(peer: Peer, code: int, comment: str) -> PeerRefused:
    """A C-ECHO answered with anything but success."""
    return PeerRefused(f"{peer} refused the echo: {words(code, comment)}.")


def is_warning(code: int) -> bool:
    """True for a status under which the request was fulfilled all the same (PS3.7 Annex C.4)."""
    return code >> 12 == 0xB or code in _WARNINGS


def is_passing(code: int) -> bool:
    """True for out of resources (A7xx of PS3.4, 0213 of PS3.7 C.5.12): the same request may be fulfilled later."""
    return code >> 8 == 0xA7 or code == RESOURCE_LIMITATION


def commitment_refused(peer: Peer, code: int, comment: str) -> PeerRefused:
    """A request of storage commitment answered with a failure (PS3.4 J.3.2.1.4); PeerBusy where it may pass."""
    kind = PeerBusy if is_passing(code) else PeerRefused
    return kind(f"{peer} refused storage commitment: {words(code, comment)}.")


def notification_refused(peer: Peer, code: int, comment: str) -> PeerRefused:
    """An Instance Availability Notification answered with a failure (PS3.4 R.3.2.3)."""
    return PeerRefused(f"{peer} refused the notification: {words(code, comment)}.")
