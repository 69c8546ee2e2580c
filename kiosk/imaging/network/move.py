"""Study root C-MOVE to ourselves (PS3.4 C.4.2): the archive sends what was asked for to where we listen."""

from collections.abc import Generator, Sequence
from time import monotonic
from typing import Final

from kiosk.imaging.calls import Received
from kiosk.imaging.network import status
from kiosk.imaging.network.association import Association, Context, GrantedContext
from kiosk.imaging.network.commands import Command, CommandField, query_request
from kiosk.imaging.network.get import Ask
from kiosk.imaging.network.keys import STUDY_ROOT_MOVE
from kiosk.imaging.network.orders import Order, Orders
from kiosk.imaging.studies.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

MOVE_CONTEXT: Final = Context(STUDY_ROOT_MOVE, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))
LOOK_SECONDS: Final = 0.01


def move(
    association: Association,
    context: GrantedContext,
    order: Order,
    asks: Sequence[Ask],
    orders: Orders,
    destination: str,
) -> Generator[Received, None, str]:
    """Asks for it to be sent to the AE title `destination`, which is ours; returns why not all of it came.

    What comes is put into the order by whoever listens. May raise StorageFull.
    """
    transfer = _Transfer(association, context, order, destination)
    with orders.open(order, association.remote_address) as number:
        for ask in asks:
            yield from transfer.run(ask, number)
    return transfer.reason


class _Transfer:
    """The C-MOVE operations of one association."""

    def __init__(self, association: Association, context: GrantedContext, order: Order, destination: str) -> None:
        self.reason = ""
        self._association = association
        self._context = context
        self._order = order
        self._destination = destination

    def run(self, ask: Ask, message_id: int) -> Generator[Received, None, None]:
        """One request, up to its final response and what is still under way then."""
        association, order = self._association, self._order
        identifier = ask.identifier(association, order.wish.study_instance_uid, self._context)
        request = query_request(CommandField.C_MOVE_RQ, message_id, STUDY_ROOT_MOVE, self._destination)
        association.send(self._context, request, identifier)
        before = order.received
        order.begin()
        heard = order.touched
        while True:
            if order.is_due or order.failure is not None:
                yield from self._arrived()
            if not association.await_readable(LOOK_SECONDS):
                if monotonic() - max(heard, order.touched) > association.peer.timeout:
                    raise status.silent(association.peer)
                continue
            command = association.response(message_id, CommandField.C_MOVE_RSP).command
            heard = monotonic()
            if command.status not in status.PENDING:
                break
            order.check_progress(command.suboperations)
        order.touched = monotonic()
        order.busy = status.is_passing(command.status)
        self.reason = status.retrieve_reason(command.status, command.comment) or self.reason
        yield from self._stragglers(command, before)

    def _stragglers(self, final: Command, before: int) -> Generator[Received, None, None]:
        """Some archives say that they are done before the last instances have gone out."""
        promised = before + final.completed_suboperations + final.warning_suboperations
        if final.status == status.SUCCESS and not promised - before:
            promised = before + len(self._order.missing())
        timeout = self._association.peer.timeout
        while self._order.missing() and (self._order.is_arriving or self._order.received < promised):
            yield from self._arrived()
            if monotonic() - self._order.touched > timeout:
                return
            self._association.pause(LOOK_SECONDS)
        yield from self._arrived()

    def _arrived(self) -> Generator[Received, None, None]:
        yield from self._order.arrived()
        if self._order.failure is not None:
            raise self._order.failure
