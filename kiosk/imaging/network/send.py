"""C-STORE (PS3.4 Annex B) of spooled files: the bytes of the file, never decoded, under the syntax they are in."""

from collections.abc import Generator, Sequence
from threading import Event
from typing import Final

from kiosk.errors import ImagingError, UnreadableObject
from kiosk.imaging.calls import SendState, Sent, SentInstance, ToSend
from kiosk.imaging.network import status
from kiosk.imaging.network.association import MAXIMUM_CONTEXTS, Association, Context, associate
from kiosk.imaging.network.commands import CommandField, store_request
from kiosk.imaging.network.filemeta import read_file_meta
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.syntaxes import sop_class_name, transfer_syntax_name

ACCEPTED: Final = frozenset({SendState.STORED, SendState.STORED_WITH_WARNING})

Pair = tuple[str, str]


def send(peer: Peer, files: Sequence[ToSend], spool: Spool, cancel: Event) -> Generator[SentInstance, None, Sent]:
    """Pushes the files; see `Imaging.send`.

    Raises PeerUnreachable, PeerRefused or PeerAborted when the first association does not come about; one that breaks
    off later leaves the rest unanswered and says why in the result.
    """
    tally = _Tally()
    for batch in batches(files):
        contexts = [Context(sop_class, (syntax,)) for sop_class, syntax in _pairs(batch)]
        try:
            with associate(peer, contexts, cancel) as association:
                tally.associated = True
                for file in batch:
                    answer = _send_one(association, file, spool)
                    tally.count(answer)
                    yield answer
        except ImagingError as error:
            if not tally.associated:
                raise
            return Sent(tally.stored, tally.failed, str(error))
    return Sent(tally.stored, tally.failed)


class _Tally:
    """What the destination said so far."""

    def __init__(self) -> None:
        self.stored = 0
        self.failed = 0
        self.associated = False

    def count(self, answer: SentInstance) -> None:
        if answer.state in ACCEPTED:
            self.stored += 1
        else:
            self.failed += 1


def _pairs(files: Sequence[ToSend]) -> list[Pair]:
    return list(dict.fromkeys((file.sop_class_uid, file.transfer_syntax_uid) for file in files))


def batches(files: Sequence[ToSend]) -> list[list[ToSend]]:
    """The files cut so that no association needs more than 128 contexts; their order is kept within each."""
    pairs = _pairs(files)
    place = {pair: number // MAXIMUM_CONTEXTS for number, pair in enumerate(pairs)}
    cut: list[list[ToSend]] = [[] for _ in range(-(-len(pairs) // MAXIMUM_CONTEXTS))]
    for file in files:
        cut[place[file.sop_class_uid, file.transfer_syntax_uid]].append(file)
    return cut


def _send_one(association: Association, file: ToSend, spool: Spool) -> SentInstance:
    def answer(state: SendState, reason: str = "") -> SentInstance:
        return SentInstance(file.sop_instance_uid, state, file.size, reason)

    context = association.find_context(file.sop_class_uid, file.transfer_syntax_uid)
    if context is None:
        kind, syntax = sop_class_name(file.sop_class_uid), transfer_syntax_name(file.transfer_syntax_uid)
        return answer(SendState.FAILED, f"it does not take {kind} in {syntax}")
    try:
        stream = spool.open(file.file)
    except UnreadableObject as error:
        return answer(SendState.FAILED, str(error))
    with stream:
        try:
            meta = read_file_meta(stream)
        except UnreadableObject as error:
            return answer(SendState.FAILED, str(error))
        if (meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid) != (
            file.sop_class_uid,
            file.sop_instance_uid,
            file.transfer_syntax_uid,
        ):
            return answer(SendState.FAILED, "The file is not the instance it is said to be.")
        stream.seek(meta.data_set)
        message_id = association.next_message_id()
        association.send(context, store_request(message_id, file.sop_class_uid, file.sop_instance_uid), stream)
    command = association.response(message_id, CommandField.C_STORE_RSP).command
    return answer(*status.store_state(command.status, command.comment))
