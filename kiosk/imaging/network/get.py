"""Study root C-GET (PS3.4 C.4.3): what was asked for, from the socket into the spool as received."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kiosk.imaging.calls import Received
from kiosk.imaging.network import status
from kiosk.imaging.network.association import Association, Context, GrantedContext
from kiosk.imaging.network.commands import Command, CommandField, query_request, response
from kiosk.imaging.network.datapath import Sink
from kiosk.imaging.network.identifiers import encode_identifier
from kiosk.imaging.network.intake import Intake
from kiosk.imaging.network.keys import STUDY_ROOT_GET, retrieve_keys
from kiosk.imaging.network.orders import TELL_SECONDS, Order, Refusal
from kiosk.imaging.studies.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

GET_CONTEXT: Final = Context(STUDY_ROOT_GET, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))


@dataclass(frozen=True)
class Ask:
    """One request: a whole study (`series_instance_uid` empty), a whole series (no instances), or these instances."""

    series_instance_uid: str = ""
    sop_instance_uids: tuple[str, ...] = ()

    @property
    def level(self) -> str:
        """Query/Retrieve Level (0008,0052)."""
        if self.sop_instance_uids:
            return "IMAGE"
        return "SERIES" if self.series_instance_uid else "STUDY"

    def identifier(self, association: Association, study_instance_uid: str, context: GrantedContext) -> bytes:
        """The unique keys, encoded."""
        keys = retrieve_keys(study_instance_uid, self.series_instance_uid, self.sop_instance_uids)
        return encode_identifier(association.peer, self.level, keys, context.transfer_syntax)


def get(
    association: Association, context: GrantedContext, order: Order, asks: Sequence[Ask]
) -> Generator[Received, None, str]:
    """Asks for it on an association that has the contexts to receive it in; returns why not all of it came."""
    transfer = _Transfer(association, context, order)
    try:
        for ask in asks:
            yield from transfer.run(ask)
    finally:
        transfer.close()
    return transfer.reason


class _Waste:
    """Where what nobody wants goes, for as long as the order has patience with its archive."""

    def __init__(self, order: Order) -> None:
        self._order = order

    def write(self, data: memoryview) -> None:
        self._order.check_patience()


class _Transfer:
    """The C-GET operations of one association."""

    def __init__(self, association: Association, context: GrantedContext, order: Order) -> None:
        self.reason = ""
        self._association = association
        self._context = context
        self._order = order
        self._intake = Intake(association.peer.ae_title)
        association.before_reuse(self._intake.flush)

    def run(self, ask: Ask) -> Generator[Received, None, None]:
        """One request, up to its final response."""
        association = self._association
        identifier = ask.identifier(association, self._order.wish.study_instance_uid, self._context)
        message_id = association.next_message_id()
        request = query_request(CommandField.C_GET_RQ, message_id, STUDY_ROOT_GET)
        association.send(self._context, request, identifier)
        self._order.begin()
        while True:
            yield from self._news()
            try:
                message = association.receive(self._sink_for)
                command = message.command
                if command.field == CommandField.C_STORE_RQ:
                    self._stored(message.context_id, command)
                    continue
            finally:
                self._intake.drop()
            if command.field != CommandField.C_GET_RSP or command.responded_to != message_id:
                raise status.babble(association.peer, "an answer to a question that was not asked")
            if command.status not in status.PENDING:
                self._order.busy = status.is_passing(command.status)
                self.reason = status.retrieve_reason(command.status, command.comment) or self.reason
                yield from self._order.arrived()
                return
            self._order.check_progress(command.suboperations)

    def close(self) -> None:
        """Nothing more comes on this association."""
        self._intake.close()

    def _news(self) -> Iterator[Received]:
        """What came, now and then, and as soon as nothing more is coming for now."""
        order = self._order
        if order.is_due or (order.has_news and not self._association.await_readable(TELL_SECONDS)):
            yield from order.arrived()

    def _sink_for(self, context_id: int, command: Command) -> Sink | None:
        if command.field != CommandField.C_STORE_RQ:
            return None
        uid = command.sop_instance_uid
        if self._order.claim(uid):
            self._intake.begin(self._order, command, self._association.context(context_id))
            return self._intake
        duplicate = self._order.has(uid)
        if not duplicate:
            self._order.refuse(Refusal.NOT_ASKED_FOR)
        self._intake.begin_discarding(duplicate=duplicate)
        return _Waste(self._order)

    def _stored(self, context_id: int, command: Command) -> None:
        context = self._association.context(context_id)
        if context is None or not command.has_data:
            raise status.babble(self._association.peer, "an object under a context that was not agreed")
        verdict = self._intake.finish()
        if verdict.code != status.SUCCESS:
            self._order.check_patience()
        self._association.send(context, response(command, verdict.code, verdict.comment))
        self._intake.prepare()
