"""Study root C-MOVE to a third (PS3.4 C.4.2): an archive sends to a destination that it knows; no bytes come here."""

from collections.abc import Generator, Sequence
from io import BytesIO
from threading import Event
from time import monotonic
from typing import Final

from kiosk.imaging.calls import Relayed, Relaying
from kiosk.imaging.network import status
from kiosk.imaging.network.association import Association, GrantedContext, associate
from kiosk.imaging.network.commands import CommandField, query_request
from kiosk.imaging.network.identifiers import encode_identifier
from kiosk.imaging.network.identity import is_uid
from kiosk.imaging.network.keys import STUDY_ROOT_MOVE, retrieve_keys
from kiosk.imaging.network.move import MOVE_CONTEXT
from kiosk.imaging.network.orders import PATIENCE
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.elements import BrokenDataSet, Walk
from kiosk.imaging.studies.syntaxes import IMPLICIT_VR_LITTLE_ENDIAN

INSTANCES_PER_REQUEST: Final = 200
_FAILED_LIST: Final = 0x00080058


def relay(
    archive: Peer,
    ae_title: str,
    study_instance_uid: str,
    series_instance_uid: str,
    sop_instance_uids: tuple[str, ...],
    cancel: Event,
) -> Generator[Relaying, None, Relayed]:
    """A whole series for no instances, else those; see `Imaging.relay`. The archive's timeout bounds its silence, not
    its work: one that sends no pending responses has to be given one that is long enough. Raises PeerRefused when
    nothing went, PeerBusy where it may go later."""
    completed, reason, busy = 0, "", False
    failed: list[str] = []
    with associate(archive, [MOVE_CONTEXT], cancel) as association:
        context = association.find_context(STUDY_ROOT_MOVE)
        if context is None:
            raise status.not_granted(archive, "retrieval (study root C-MOVE)")
        for uids in _requests(sop_instance_uids):
            keys = retrieve_keys(study_instance_uid, series_instance_uid, uids)
            identifier = encode_identifier(archive, "IMAGE" if uids else "SERIES", keys, context.transfer_syntax)
            message_id = association.next_message_id()
            request = query_request(CommandField.C_MOVE_RQ, message_id, STUDY_ROOT_MOVE, ae_title)
            association.send(context, request, identifier)
            done, code = yield from _run(association, context, message_id, completed)
            busy = status.is_passing(code)
            completed += done.completed
            failed += done.failed
            reason = done.reason or reason
    if not completed and reason:
        raise status.retrieve_refused(archive, reason, passing=busy)
    return Relayed(completed, tuple(failed), reason)


def _run(
    association: Association, context: GrantedContext, message_id: int, before: int
) -> Generator[Relaying, None, tuple[Relayed, int]]:
    """One request up to its final response, and the status of that; PeerUnreachable for an archive that says for too
    long that there is more to come, and never counts any further."""
    counted, touched = -1, monotonic()
    while True:
        message = association.response(message_id, CommandField.C_MOVE_RSP)
        command = message.command
        completed = command.completed_suboperations + command.warning_suboperations
        if command.status in status.PENDING:
            if completed != counted:
                counted, touched = completed, monotonic()
                yield Relaying(before + completed)
            elif (seconds := monotonic() - touched) > PATIENCE * association.peer.timeout:
                raise status.stalled(association.peer, seconds)
            continue
        reason = status.retrieve_reason(command.status, command.comment)
        if command.failed_suboperations and not reason:
            reason = f"{command.failed_suboperations} could not be sent"
        return Relayed(completed, _failed_list(message.data, context), reason), command.status


def _failed_list(data: bytes, context: GrantedContext) -> tuple[str, ...]:
    """Failed SOP Instance UID List, which archives may leave out or spoil."""
    explicit = context.transfer_syntax != IMPLICIT_VR_LITTLE_ENDIAN
    uids: list[str] = []
    try:
        for element in Walk(BytesIO(data), 0, len(data), explicit=explicit, little=True):
            if element.depth == 0 and element.tag == _FAILED_LIST and element.value is not None:
                uids = [uid.strip("\0 ") for uid in element.value.decode("latin-1").split("\\")]
    except BrokenDataSet:
        return ()
    return tuple(uid for uid in uids if is_uid(uid))


def _requests(sop_instance_uids: Sequence[str]) -> list[tuple[str, ...]]:
    starts = range(0, len(sop_instance_uids), INSTANCES_PER_REQUEST)
    return [tuple(sop_instance_uids[start : start + INSTANCES_PER_REQUEST]) for start in starts] or [()]
