"""Study root C-GET (PS3.4 C.4.3): what was asked for, and nothing else, from the socket into the spool as received."""

from collections.abc import Generator, Sequence
from io import BytesIO
from threading import Event
from typing import Final

from kiosk.errors import UnreadableObject
from kiosk.imaging.calls import InstanceKey, Received, Retrieved
from kiosk.imaging.network import status
from kiosk.imaging.network.association import Association, Context, GrantedContext, associate
from kiosk.imaging.network.commands import Command, CommandField, query_request, store_response
from kiosk.imaging.network.datapath import Sink
from kiosk.imaging.network.filemeta import encode_file_meta
from kiosk.imaging.network.find import find_instances, find_series
from kiosk.imaging.network.identifiers import encode_identifier
from kiosk.imaging.network.identity import is_uid, read_identity
from kiosk.imaging.network.keys import STUDY_ROOT_GET, retrieve_keys
from kiosk.imaging.network.storage_contexts import contexts_for, contexts_for_modality
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool, SpoolFile
from kiosk.imaging.studies.syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

INSTANCES_PER_REQUEST: Final = 200


def retrieve(
    peer: Peer,
    study_instance_uid: str,
    series_instance_uid: str,
    sop_instance_uids: tuple[str, ...],
    spool: Spool,
    cancel: Event,
) -> Generator[Received, None, Retrieved]:
    """Asks the archive what there is, then gets it; see `Imaging.retrieve`. May raise StorageFull."""
    listed = {
        key.sop_instance_uid: key for key in find_instances(peer, study_instance_uid, series_instance_uid, cancel)
    }
    wanted = dict.fromkeys(uid for uid in sop_instance_uids or listed if is_uid(uid))
    if not wanted:
        return Retrieved(0, 0)
    storage = _contexts(peer, study_instance_uid, series_instance_uid, listed, cancel)
    contexts = [Context(STUDY_ROOT_GET, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)), *storage]
    with associate(peer, contexts, cancel) as association:
        context = association.find_context(STUDY_ROOT_GET)
        if context is None:
            raise status.not_granted(peer, "retrieval (study root C-GET)")
        transfer = _Transfer(association, context, study_instance_uid, series_instance_uid, set(wanted), spool)
        # Orthanc refuses a whole list for one instance it does not have: ask for what it said it has.
        known = tuple(uid for uid in wanted if uid in listed)
        for uids in _requests((known or tuple(wanted)) if sop_instance_uids else ()):
            yield from transfer.run(uids)
        return transfer.result()


def _contexts(peer: Peer, study: str, series: str, listed: dict[str, InstanceKey], cancel: Event) -> list[Context]:
    classes = {key.sop_class_uid for key in listed.values()}
    if classes and "" not in classes:
        return contexts_for(classes)
    modalities = [found.modality for found in find_series(peer, study, cancel) if found.series_instance_uid == series]
    return contexts_for_modality(next(iter(modalities), ""))


def _requests(sop_instance_uids: Sequence[str]) -> list[tuple[str, ...]]:
    """The lists of instances to ask for one after the other; one empty list for the whole series."""
    starts = range(0, len(sop_instance_uids), INSTANCES_PER_REQUEST)
    return [tuple(sop_instance_uids[start : start + INSTANCES_PER_REQUEST]) for start in starts] or [()]


class _Discarded:
    """Where an instance goes that we do not want; `refusal` is the status it gets."""

    def __init__(self, refusal: int) -> None:
        self.refusal = refusal

    def write(self, data: memoryview) -> None:
        """Lets it go."""


class _Transfer:
    """The C-GET operations of one association."""

    def __init__(
        self, association: Association, context: GrantedContext, study: str, series: str, wanted: set[str], spool: Spool
    ) -> None:
        self._association = association
        self._context = context
        self._study = study
        self._series = series
        self._wanted = wanted
        self._spool = spool
        self._received: set[str] = set()
        self._reason = ""
        self._refused = 0
        self._file: SpoolFile | None = None
        self._discarded: _Discarded | None = None
        self._data_set = 0

    def result(self) -> Retrieved:
        """What came of it. Counts are of what was asked for, whatever the archive says about its sub-operations."""
        missing = len(self._wanted - self._received)
        if not missing:
            return Retrieved(len(self._received), 0)
        reason = self._reason or "the archive sent no more"
        if self._refused:
            reason += f"; {self._refused} were not what was asked for"
        if not self._received:
            raise status.retrieve_refused(self._association.peer, reason)
        return Retrieved(len(self._received), missing, reason)

    def run(self, sop_instance_uids: tuple[str, ...]) -> Generator[Received, None, None]:
        """One C-GET request, up to its final response."""
        peer = self._association.peer
        keys = retrieve_keys(self._study, self._series, sop_instance_uids)
        level = "IMAGE" if sop_instance_uids else "SERIES"
        identifier = encode_identifier(peer, level, keys, self._context.transfer_syntax)
        message_id = self._association.next_message_id()
        request = query_request(CommandField.C_GET_RQ, message_id, STUDY_ROOT_GET)
        self._association.send(self._context, request, BytesIO(identifier))
        while True:
            try:
                message = self._association.receive(self._sink_for)
                command = message.command
                if command.field == CommandField.C_STORE_RQ:
                    received = self._stored(message.context_id, command)
                    if received is not None:
                        yield received
                    continue
            finally:
                self._drop()
            if command.field != CommandField.C_GET_RSP or command.responded_to != message_id:
                raise status.babble(peer, "an answer to a question that was not asked")
            if command.status not in status.PENDING:
                self._reason = status.retrieve_reason(command.status, command.comment) or self._reason
                return

    def _sink_for(self, context_id: int, command: Command) -> Sink | None:
        if command.field != CommandField.C_STORE_RQ:
            return None
        context = self._association.context(context_id)
        uid = command.sop_instance_uid
        if context is None or not context.as_scp or context.abstract_syntax != command.sop_class_uid:
            self._discarded = _Discarded(status.SOP_CLASS_NOT_SUPPORTED)
        elif uid not in self._wanted or uid in self._received:
            self._discarded = _Discarded(status.NOT_AUTHORISED)
        if self._discarded is not None or context is None:
            return self._discarded
        self._file = self._spool.create()
        self._file.__enter__()
        meta = encode_file_meta(command.sop_class_uid, uid, context.transfer_syntax, self._association.peer.ae_title)
        self._file.write(meta)
        self._data_set = len(meta)
        return self._file

    def _stored(self, context_id: int, command: Command) -> Received | None:
        context = self._association.context(context_id)
        if context is None:
            raise status.babble(self._association.peer, "an object under a context that was not agreed")
        received = None
        if self._file is None:
            code = self._discarded.refusal if self._discarded is not None else status.CANNOT_UNDERSTAND
        elif self._is_what_it_says(self._file, command, context):
            size = self._file.size
            received = Received(
                sop_instance_uid=command.sop_instance_uid,
                sop_class_uid=command.sop_class_uid,
                series_instance_uid=self._series,
                transfer_syntax_uid=context.transfer_syntax,
                file=self._file.commit(),
                size=size,
            )
            self._received.add(command.sop_instance_uid)
            code = status.SUCCESS
        else:
            code = status.MISMATCH
        if code != status.SUCCESS and command.sop_instance_uid not in self._received:
            self._refused += 1
        self._association.send(context, store_response(command, code))
        return received

    def _is_what_it_says(self, file: SpoolFile, command: Command, context: GrantedContext) -> bool:
        try:
            identity = read_identity(file.stream, self._data_set, context.transfer_syntax)
        except UnreadableObject:
            return False
        return (
            identity.sop_instance_uid == command.sop_instance_uid
            and identity.sop_class_uid == command.sop_class_uid
            and identity.study_instance_uid == self._study
            and identity.series_instance_uid == self._series
        )

    def _drop(self) -> None:
        """Closes what was being written; a file that was not committed is gone."""
        if self._file is not None:
            self._file.__exit__(None, None, None)
        self._file = self._discarded = None
