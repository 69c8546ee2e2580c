"""Associations that peers open to us: they bring what was asked for, and may ask whether we are there. Nothing else.

One blocking socket in the caller's own thread, like our own associations; PS3.8 7.1 and 9.3 for the negotiation.
"""

import socket
import struct
from contextlib import closing, suppress
from dataclasses import replace
from threading import Event
from time import monotonic
from typing import Final

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, MaximumLengthNotification, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, build_context

from kiosk.errors import ImagingError, StorageFull
from kiosk.imaging.network import status
from kiosk.imaging.network.association import (
    APPLICATION_CONTEXT,
    UNDECODABLE,
    Association,
    GrantedContext,
    user_information,
)
from kiosk.imaging.network.callers import Callers
from kiosk.imaging.network.commands import Command, CommandField, response
from kiosk.imaging.network.commitment import COMMITMENT_CONTEXT, STORAGE_COMMITMENT, Reports, answer_report
from kiosk.imaging.network.datapath import ABORT, MAXIMUM_PDU, SMALLEST_PDU, DataPath, Message, Pdu, Sink
from kiosk.imaging.network.echo import VERIFICATION
from kiosk.imaging.network.intake import Intake
from kiosk.imaging.network.orders import Orders
from kiosk.imaging.network.storage_contexts import COMPRESSED, UNCOMPRESSED
from kiosk.imaging.network.tls import server_context
from kiosk.imaging.network.transport import Connection
from kiosk.imaging.peers import Peer, Tls

REQUEST_SECONDS: Final = 10.0
"""For the handshake and the association request (PS3.8 9.1.5, ARTIM)."""
IDLE_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 0.5

PERMANENT: Final = 1
TRANSIENT: Final = 2
TRANSFER_SYNTAXES: Final = frozenset((*UNCOMPRESSED, *COMPRESSED))

_TLS_HANDSHAKE: Final = 0x16
_ACCEPTED, _NO_ABSTRACT_SYNTAX, _NO_TRANSFER_SYNTAX = 0, 3, 4


class _Rejected(ImagingError):
    """The association is not taken; source and reason of PS3.8 table 9-21."""

    def __init__(self, source: int, reason: int) -> None:
        super().__init__("The association was rejected.")
        self.pdu = _rejection(PERMANENT, source, reason)


def turn_away(accepted: socket.socket) -> None:
    """Says that there are too many associations already, without listening."""
    with suppress(OSError):
        accepted.setblocking(False)
        accepted.send(_rejection(TRANSIENT, 3, 2))


class Acceptor:
    """Serves one connection at a time in each thread that calls it."""

    def __init__(self, ae_title: str, callers: Callers, orders: Orders, reports: Reports) -> None:
        self._ae_title = ae_title
        self._callers = callers
        self._orders = orders
        self._reports = reports

    def serve(self, accepted: socket.socket, address: str, cancel: Event) -> None:
        """An association from beginning to end; raises KioskError for one that did not end as it should."""
        stranger = Peer("A caller", "unknown", address, 0, timeout=REQUEST_SECONDS)
        connection = Connection(stranger, cancel)
        connection.adopt(accepted)
        try:
            tls = self._secured(connection, address)
            path = DataPath(connection)
            association = self._negotiated(path, address, tls)
            with closing(_Conversation(association, self._orders, self._reports)) as conversation:
                conversation.run()
        except _Rejected as rejection:
            connection.try_write(rejection.pdu)
            raise
        except BaseException:
            connection.try_write(ABORT)
            raise
        finally:
            connection.close()

    def _secured(self, connection: Connection, address: str) -> Tls | None:
        """TLS with the authority of whoever may call from there; None for a caller that begins without."""
        deadline = monotonic() + REQUEST_SECONDS
        if connection.peek(deadline) != _TLS_HANDSHAKE:
            return None
        for peer in self._callers.at(address):
            if peer.tls is not None:
                connection.secure(server_context(peer.tls), deadline)
                return peer.tls
        raise status.speaks_tls(connection.peer)

    def _negotiated(self, path: DataPath, address: str, tls: Tls | None) -> Association:
        kind, body = path.read_pdu(monotonic() + REQUEST_SECONDS)
        if kind != Pdu.ASSOCIATE_RQ:
            raise status.babble(path.peer, f"a PDU of type {kind:02X} out of turn")
        try:
            decoded = A_ASSOCIATE_RQ()
            decoded.decode(struct.pack(">BxI", kind, len(body)) + bytes(body))
            request = decoded.to_primitive()
            calling, called = request.calling_ae_title.strip(), request.called_ae_title.strip()
            if request.application_context_name != APPLICATION_CONTEXT:
                raise _Rejected(1, 2)
            if called != self._ae_title:
                raise _Rejected(1, 7)
            peer = self._callers.find(address, calling, tls)
            if peer is None:
                raise _Rejected(1, 3)
            path.identify(peer)
            results = [self._judged(peer, context) for context in request.presentation_context_definition_list]
            lengths = [
                item.maximum_length_received
                for item in request.user_information
                if isinstance(item, MaximumLengthNotification)
            ]
            acceptance = _acceptance(request, results)
        except UNDECODABLE as error:
            raise status.babble(path.peer, "a request that does not add up") from error
        maximum = (lengths[0] if lengths else 0) or MAXIMUM_PDU
        if maximum < SMALLEST_PDU:
            raise status.babble(peer, f"a maximum PDU length of {maximum} bytes")
        path.write(acceptance)
        granted = tuple(
            GrantedContext(result.context_id, str(result.abstract_syntax), str(result.transfer_syntax[0]), as_scp=True)
            for result in results
            if result.result == _ACCEPTED
        )
        return Association(path, granted, maximum)

    def _judged(self, peer: Peer, proposed: PresentationContext) -> PresentationContext:
        abstract_syntax = str(proposed.abstract_syntax)
        syntaxes = [str(syntax) for syntax in proposed.transfer_syntax]
        chosen = next((syntax for syntax in syntaxes if syntax in TRANSFER_SYNTAXES), None)
        result = build_context(abstract_syntax, [chosen or syntaxes[0]])
        result.context_id = proposed.context_id
        if abstract_syntax != VERIFICATION and not self._is_wanted(peer, abstract_syntax):
            result.result = _NO_ABSTRACT_SYNTAX
        else:
            result.result = _NO_TRANSFER_SYNTAX if chosen is None else _ACCEPTED
        return result

    def _is_wanted(self, peer: Peer, abstract_syntax: str) -> bool:
        if abstract_syntax == STORAGE_COMMITMENT:
            return self._reports.are_taken
        return self._orders.want(peer, abstract_syntax)


class _Conversation:
    """The messages of one association."""

    def __init__(self, association: Association, orders: Orders, reports: Reports) -> None:
        self._association = association
        self._orders = orders
        self._reports = reports
        self._intake = Intake(association.peer.ae_title)
        association.before_reuse(self._intake.flush)

    def run(self) -> None:
        """Until the caller ends it, which is told by an error as everything is."""
        association = self._association
        while True:
            self._await_message()
            try:
                message = association.receive(self._sink_for)
                if message.command.field == CommandField.N_EVENT_REPORT_RQ:
                    self._take_report(message)
                else:
                    self._answer(message.context_id, message.command)
            except StorageFull as error:
                if self._intake.order is not None:
                    self._intake.order.failure = error
                raise
            finally:
                self._intake.drop()

    def close(self) -> None:
        """Nothing more comes on this association."""
        self._intake.close()

    def _await_message(self) -> None:
        """A caller may be slow as long as something is awaited from it: whoever asked for it looks at the time."""
        peer, since = self._association.peer, monotonic()
        while not self._association.await_readable(LOOK_SECONDS):
            if not self._orders.of(peer) and monotonic() - since > IDLE_SECONDS:
                raise status.silent(replace(peer, timeout=IDLE_SECONDS))

    def _sink_for(self, context_id: int, command: Command) -> Sink | None:
        if command.field == CommandField.C_STORE_RQ:
            peer, uid = self._association.peer, command.sop_instance_uid
            order = self._orders.claim(peer, command)
            if order is not None:
                self._intake.begin(order, command, self._association.context(context_id))
                return self._intake
            duplicate = self._orders.duplicates(peer, uid)
            self._intake.begin_discarding(duplicate=duplicate)
            if not duplicate:
                self._orders.refuse(peer)
            return self._intake
        if command.field == CommandField.N_EVENT_REPORT_RQ:
            return None
        self._intake.begin_discarding(duplicate=False)
        return self._intake

    def _take_report(self, message: Message) -> None:
        context = self._association.context(message.context_id)
        if context is None or context.abstract_syntax != STORAGE_COMMITMENT:
            raise status.babble(self._association.peer, "a report under a context that is not for it")
        report = answer_report(self._association, context, message.command, message.data)
        if report is not None and not self._reports.put(report):
            raise status.babble(self._association.peer, "more reports than anybody asked for")

    def _answer(self, context_id: int, command: Command) -> None:
        context = self._association.context(context_id)
        if context is None or (not command.is_request and command.field != CommandField.C_CANCEL_RQ):
            raise status.babble(self._association.peer, "an answer to a question that was not asked")
        if command.field == CommandField.C_STORE_RQ:
            verdict = self._intake.finish()
            self._association.send(context, response(command, verdict.code, verdict.comment))
            self._intake.prepare()
        elif command.field == CommandField.C_ECHO_RQ:
            self._association.send(context, response(command, status.SUCCESS))
        elif command.is_request:
            comment = "only what was asked for is taken here"
            self._association.send(context, response(command, status.UNRECOGNISED_OPERATION, comment))


def _acceptance(request: A_ASSOCIATE, results: list[PresentationContext]) -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = request.application_context_name
    primitive.calling_ae_title = request.calling_ae_title
    primitive.called_ae_title = request.called_ae_title
    primitive.presentation_context_definition_results_list = results
    reports = [item for item in request.user_information if isinstance(item, SCP_SCU_RoleSelectionNegotiation)]
    asked = any(item.sop_class_uid == STORAGE_COMMITMENT and item.scp_role for item in reports)
    # Who reports is the SCP though it called us (PS3.4 J.3.3.1.2).
    primitive.user_information = user_information((replace(COMMITMENT_CONTEXT, as_scp=True),) if asked else ())
    acceptance = A_ASSOCIATE_AC()
    acceptance.from_primitive(primitive)
    return bytes(acceptance.encode())


def _rejection(result: int, source: int, reason: int) -> bytes:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return bytes((Pdu.ASSOCIATE_RJ, 0, 0, 0, 0, 4, 0, result, source, reason))
