"""Storage Commitment Push Model (PS3.4 Annex J): a peer says of instances that it keeps them, or why it does not.

Its answer comes on the association that asked, or, later, on one that it opens to us.
"""

from collections.abc import Iterable, Sequence
from io import BytesIO
from queue import Empty, SimpleQueue
from threading import Event, Lock
from time import monotonic
from typing import Final

from kiosk.errors import ImagingError, UnreadableObject
from kiosk.imaging.calls import CommitmentAsked, CommitmentReport, InstanceKey, NotCommitted
from kiosk.imaging.network import status
from kiosk.imaging.network.association import Association, Context, GrantedContext, associate
from kiosk.imaging.network.commands import Command, CommandField, action_request, response
from kiosk.imaging.network.data_sets import DataSetWriter
from kiosk.imaging.network.identity import is_uid
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.elements import ITEM, Walk
from kiosk.imaging.studies.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
WELL_KNOWN_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
REQUEST_COMMITMENT: Final = 1
COMMITMENT_CONTEXT: Final = Context(STORAGE_COMMITMENT, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))
AWAIT_SECONDS: Final = 2.0
"""How long the association stays open for an answer that comes at once."""
LOOK_SECONDS: Final = 0.05
MOST_REPORTS: Final = 10_000

_TRANSACTION_UID: Final = 0x00081195
_FAILED_SEQUENCE: Final = 0x00081198
_REFERENCED_SEQUENCE: Final = 0x00081199
_REFERENCED_CLASS: Final = 0x00081150
_REFERENCED_INSTANCE: Final = 0x00081155
_FAILURE_REASON: Final = 0x00081197


def ask_commitment(
    peer: Peer, transaction_uid: str, instances: Sequence[InstanceKey], cancel: Event, wait: float = AWAIT_SECONDS
) -> CommitmentAsked:
    """N-ACTION, and the answer where it comes at once; see `Imaging.commit`.

    Raises PeerLacks for a peer that does not offer it, and PeerRefused for one that says no.
    """
    with associate(peer, [COMMITMENT_CONTEXT], cancel) as association:
        context = association.find_context(STORAGE_COMMITMENT)
        if context is None:
            raise status.not_granted(peer, "storage commitment")
        message_id = association.next_message_id()
        command = action_request(message_id, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE, REQUEST_COMMITMENT)
        association.send(context, command, encode_request(transaction_uid, instances, context.transfer_syntax))
        wanted = _Answers(association, context, transaction_uid)
        wanted.await_response(message_id)
        try:
            wanted.await_report(monotonic() + wait)
        except ImagingError:  # it took the request and ended the association: it will open one of its own
            return CommitmentAsked(wanted.report)
        return CommitmentAsked(wanted.report)


def encode_request(transaction_uid: str, instances: Iterable[InstanceKey], transfer_syntax_uid: str) -> bytes:
    """The action's information (PS3.4 table J.3-1)."""
    write = DataSetWriter(transfer_syntax_uid)
    items = [
        (
            write.text(_REFERENCED_CLASS, "UI", instance.sop_class_uid),
            write.text(_REFERENCED_INSTANCE, "UI", instance.sop_instance_uid),
        )
        for instance in instances
    ]
    return write.text(_TRANSACTION_UID, "UI", transaction_uid) + write.sequence(_REFERENCED_SEQUENCE, items)


def decode_report(peer: Peer, data: bytes, transfer_syntax_uid: str) -> CommitmentReport:
    """The event's information (PS3.4 table J.3-2); raises UnreadableObject for one that names no transaction."""
    explicit = transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN
    transaction, sequence, instance, reason = "", 0, "", 0
    kept: list[str] = []
    failed: list[NotCommitted] = []

    def close_item() -> None:
        nonlocal instance, reason
        if is_uid(instance):
            if sequence == _FAILED_SEQUENCE:
                failed.append(NotCommitted(instance, status.words(reason)))
            elif sequence == _REFERENCED_SEQUENCE:
                kept.append(instance)
        instance, reason = "", 0

    for element in Walk(BytesIO(data), 0, len(data), explicit=explicit, little=True, value_limit=256):
        if element.depth == 0:
            close_item()
            sequence = element.tag
            if element.tag == _TRANSACTION_UID and element.value is not None:
                transaction = element.value.decode("latin-1").strip("\0 ")
        elif element.tag == ITEM:
            close_item()
        elif element.depth == 1 and element.value is not None:
            if element.tag == _REFERENCED_INSTANCE:
                instance = element.value.decode("latin-1").strip("\0 ")
            elif element.tag == _FAILURE_REASON:
                reason = int.from_bytes(element.value[:2], "little")
    close_item()
    if not is_uid(transaction):
        raise UnreadableObject("A report of storage commitment that names no transaction.")
    # One that is said to be kept and not kept is not kept.
    refused = {one.sop_instance_uid for one in failed}
    return CommitmentReport(peer.ae_title, transaction, tuple(uid for uid in kept if uid not in refused), tuple(failed))


class Reports:
    """What came on associations that peers opened, until somebody takes it. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._takers = 0
        self._came: SimpleQueue[CommitmentReport] = SimpleQueue()

    @property
    def are_taken(self) -> bool:
        """True while there is somebody to take them: until then nobody is told that we listen."""
        return self._takers > 0

    def put(self, report: CommitmentReport) -> bool:
        """False when more lie here than anybody asked for."""
        if self._came.qsize() >= MOST_REPORTS:
            return False
        self._came.put(report)
        return True

    def next(self, seconds: float) -> CommitmentReport | None:
        """The next one, None when none comes in time."""
        try:
            return self._came.get(timeout=seconds)
        except Empty:
            return None

    def __enter__(self) -> "Reports":
        with self._lock:
            self._takers += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._takers -= 1


def answer_report(
    association: Association, context: GrantedContext, command: Command, data: bytes
) -> CommitmentReport | None:
    """Answers an N-EVENT-REPORT-RQ; the report when it is one that can be read."""
    try:
        report = decode_report(association.peer, data, context.transfer_syntax)
    except UnreadableObject:
        association.send(context, response(command, status.PROCESSING_FAILURE, "no transaction is named"))
        return None
    association.send(context, response(command, status.SUCCESS))
    return report


class _Answers:
    """What comes back on the association that asked, in whatever order."""

    def __init__(self, association: Association, context: GrantedContext, transaction_uid: str) -> None:
        self.report: CommitmentReport | None = None
        self._association = association
        self._context = context
        self._transaction = transaction_uid

    def await_response(self, message_id: int) -> None:
        """Until the peer says whether it will look; raises PeerRefused when it will not."""
        deadline = self._association.deadline()
        while True:
            message = self._association.receive(deadline=deadline)
            command = message.command
            if command.field == CommandField.N_EVENT_REPORT_RQ:
                self._take(command, message.data)
                continue
            if command.field != CommandField.N_ACTION_RSP or command.responded_to != message_id:
                raise status.babble(self._association.peer, "an answer to a question that was not asked")
            if command.status != status.SUCCESS and not status.is_warning(command.status):
                raise status.commitment_refused(self._association.peer, command.status, command.comment)
            return

    def await_report(self, until: float) -> None:
        """Until the report is there, or the time is over."""
        while self.report is None and monotonic() < until:
            if self._association.await_readable(LOOK_SECONDS):
                message = self._association.receive()
                if message.command.field != CommandField.N_EVENT_REPORT_RQ:
                    raise status.babble(self._association.peer, "a message out of turn")
                self._take(message.command, message.data)

    def _take(self, command: Command, data: bytes) -> None:
        report = answer_report(self._association, self._context, command, data)
        if report is not None and report.transaction_uid == self._transaction:
            self.report = report
