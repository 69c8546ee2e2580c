"""An association with a peer: negotiated, used from one thread, and always released or aborted.

Negotiation, PDUs and presentation contexts are pynetdicom's; its threads and queues are not used. They lose a response
now and then (its reactor takes what `send_*` waits for) and cannot be cancelled. Here one thread owns the socket:
whoever asks reads the answer.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from threading import Event
from time import monotonic
from typing import Final

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassExtendedNegotiation,
)
from pynetdicom.presentation import PresentationContext, build_context, negotiate_as_requestor

from kiosk.errors import Cancelled, ImagingError
from kiosk.imaging.network import status
from kiosk.imaging.network.datapath import (
    ABORT,
    MAXIMUM_PDU,
    RELEASE_RP,
    RELEASE_RQ,
    SMALLEST_PDU,
    Body,
    DataPath,
    Message,
    Pdu,
    SinkFor,
    abort_reason,
    collect,
)
from kiosk.imaging.network.transport import Connection
from kiosk.imaging.network.user_identity import user_identity_items
from kiosk.imaging.peers import Peer

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
IMPLEMENTATION_CLASS_UID: Final = "2.25.301558340174532911387044161526240184651"
IMPLEMENTATION_VERSION_NAME: Final = "IMAGING_KIOSK_1"
MAXIMUM_CONTEXTS: Final = 128
RELEASE_SECONDS: Final = 2.0

# What pynetdicom's decoders raise when the bytes are not what they claim to be.
UNDECODABLE: Final = (
    ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, AssertionError, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class Context:
    """A presentation context to propose. `as_scp` asks for the SCP role (PS3.7 D.3.3.4), as C-GET needs; `extended` is
    the application information of its SOP class extended negotiation (PS3.7 D.3.3.5), empty for none."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    as_scp: bool = False
    extended: bytes = b""


@dataclass(frozen=True)
class GrantedContext:
    """A presentation context the peer accepted, with the one transfer syntax it chose."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    as_scp: bool


class Association:
    """An open association. Not for two threads at once; every method may raise ImagingError or Cancelled."""

    def __init__(self, path: DataPath, granted: tuple[GrantedContext, ...], maximum: int) -> None:
        self.peer = path.peer
        self.granted = granted
        self._path = path
        self._maximum = maximum
        self._message_id = 0
        self._by_id = {context.context_id: context for context in granted}
        self.extended: dict[str, bytes] = {}

    @property
    def remote_address(self) -> str:
        """The peer's IP address as we reached it."""
        return self._path.connection.remote_address

    def await_readable(self, seconds: float) -> bool:
        """Waits at most so long for a message to begin; raises Cancelled."""
        return self._path.connection.await_readable(seconds)

    def before_reuse(self, call: Callable[[], None]) -> None:
        """Has it called before bytes that a sink was given make room for others."""
        self._path.connection.before_reuse = call

    def pause(self, seconds: float) -> None:
        """Lets others work for so long; raises Cancelled."""
        self._path.connection.pause(seconds)

    @property
    def cancelled(self) -> bool:
        """True when the person does not want this any more."""
        return self._path.connection.cancel.is_set()

    def next_message_id(self) -> int:
        """A message id not used in the last 65,535 messages."""
        self._message_id = self._message_id % 65535 + 1
        return self._message_id

    def find_context(self, abstract_syntax: str, transfer_syntax: str | None = None) -> GrantedContext | None:
        """The accepted context for it, None when the peer granted none."""
        for context in self.granted:
            if context.abstract_syntax == abstract_syntax and transfer_syntax in (None, context.transfer_syntax):
                return context
        return None

    def context(self, context_id: int) -> GrantedContext | None:
        """The accepted context of that number."""
        return self._by_id.get(context_id)

    def send(self, context: GrantedContext, command: bytes, data: Body | None = None) -> None:
        """Sends one message; of a file, its bytes go from there as they are."""
        self._path.send(context.context_id, self._maximum, command, data)

    def receive(self, sink_for: SinkFor = collect, deadline: float | None = None) -> Message:
        """The next message; see `DataPath.receive`."""
        message = self._path.receive(sink_for, deadline)
        if message.context_id not in self._by_id:
            raise status.babble(self.peer, "a message under a context that was not agreed")
        return message

    def response(
        self, message_id: int, field: int, sink_for: SinkFor = collect, deadline: float | None = None
    ) -> Message:
        """The next message, which must be a response of this kind to this request."""
        message = self.receive(sink_for, deadline)
        command = message.command
        if command.field != field or command.responded_to != message_id:
            raise status.babble(self.peer, "an answer to a question that was not asked")
        return message

    def deadline(self) -> float:
        """When something that is asked for now must have come."""
        return self._path.deadline()


@contextmanager
def associate(peer: Peer, contexts: Sequence[Context], cancel: Event) -> Iterator[Association]:
    """Opens an association with at most MAXIMUM_CONTEXTS contexts and ends it, whatever happens inside.

    Leaving normally releases it; leaving by an exception aborts it. Raises PeerUnreachable, PeerRefused (also when
    no context at all was granted), PeerAborted or Cancelled.
    """
    connection = Connection(peer, cancel)
    request = _request(peer, contexts)
    try:
        connection.open()
        path = DataPath(connection)
        path.write(_encoded(request))
        association = _negotiated(path, request)
        yield association
        _release(path)
    except BaseException:
        connection.try_write(ABORT)
        raise
    finally:
        connection.close()


def _request(peer: Peer, contexts: Sequence[Context]) -> A_ASSOCIATE:
    if not 0 < len(contexts) <= MAXIMUM_CONTEXTS:
        raise ValueError("An association has 1 to 128 presentation contexts (PS3.8 9.3.2.2)")
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID(APPLICATION_CONTEXT)
    try:
        primitive.calling_ae_title = peer.calling_ae_title
        primitive.called_ae_title = peer.ae_title
    except ValueError as error:
        raise ImagingError(f"{peer} is configured with something that is no AE title.") from error
    proposed = []
    for number, context in enumerate(contexts):
        item = copy(_proposal(context.abstract_syntax, context.transfer_syntaxes))
        item.context_id = 2 * number + 1
        proposed.append(item)
    primitive.presentation_context_definition_list = proposed
    primitive.user_information = [*user_information(contexts), *user_identity_items(peer)]
    return primitive


@lru_cache(maxsize=512)
def _proposal(abstract_syntax: str, transfer_syntaxes: tuple[str, ...]) -> PresentationContext:
    """pynetdicom looks at every UID anew, which takes as long as a retrieval's first instances."""
    return build_context(abstract_syntax, list(transfer_syntaxes))


def _encoded(primitive: A_ASSOCIATE) -> bytes:
    request = A_ASSOCIATE_RQ()
    request.from_primitive(primitive)
    return bytes(request.encode())


def user_information(contexts: Sequence[Context]) -> list[object]:
    """What either side says about itself, with the roles that these contexts ask for."""
    length = MaximumLengthNotification()
    length.maximum_length_received = MAXIMUM_PDU
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    items: list[object] = [length, implementation, version]
    for abstract_syntax in dict.fromkeys(context.abstract_syntax for context in contexts if context.as_scp):
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid = UID(abstract_syntax)
        role.scu_role = False
        role.scp_role = True
        items.append(role)
    for context in contexts:
        if context.extended:
            extended = SOPClassExtendedNegotiation()
            extended.sop_class_uid = UID(context.abstract_syntax)
            extended.service_class_application_information = context.extended
            items.append(extended)
    return items


def _negotiated(path: DataPath, request: A_ASSOCIATE) -> Association:
    peer = path.peer
    kind, body = path.read_pdu()
    if kind == Pdu.ABORT:
        raise status.aborted(peer, *abort_reason(body))
    if kind not in (Pdu.ASSOCIATE_AC, Pdu.ASSOCIATE_RJ):
        raise status.babble(peer, f"a PDU of type {kind:02X} in answer to the request")
    raw = struct.pack(">BxI", kind, len(body)) + bytes(body)
    try:
        if kind == Pdu.ASSOCIATE_RJ:
            rejection = A_ASSOCIATE_RJ()
            rejection.decode(raw)
            raise status.rejected(peer, rejection.result or 0, rejection.source or 0, rejection.reason_diagnostic or 0)
        acceptance = A_ASSOCIATE_AC()
        acceptance.decode(raw)
        return _accepted(path, request, acceptance.to_primitive())
    except UNDECODABLE as error:
        raise status.babble(peer, "an acceptance that does not add up") from error


def _accepted(path: DataPath, request: A_ASSOCIATE, acceptance: A_ASSOCIATE) -> Association:
    proposed = request.presentation_context_definition_list
    asked = {item.sop_class_uid for item in request.user_information if _is_role(item)}
    for context in proposed:
        context.scu_role, context.scp_role = (False, True) if context.abstract_syntax in asked else (None, None)
    roles = {
        item.sop_class_uid: (item.scu_role, item.scp_role) for item in acceptance.user_information if _is_role(item)
    }
    results = negotiate_as_requestor(proposed, acceptance.presentation_context_definition_results_list, roles)
    granted = tuple(
        GrantedContext(
            context.context_id, str(context.abstract_syntax), str(context.transfer_syntax[0]), context.as_scp
        )
        for context in results
        if context.result == 0
    )
    if not granted:
        raise status.not_granted(path.peer, "any of the services asked for")
    lengths = [
        item.maximum_length_received
        for item in acceptance.user_information
        if isinstance(item, MaximumLengthNotification)
    ]
    maximum = (lengths[0] if lengths else 0) or MAXIMUM_PDU
    if maximum < SMALLEST_PDU:
        raise status.babble(path.peer, f"a maximum PDU length of {maximum} bytes")
    association = Association(path, granted, maximum)
    association.extended = {
        str(item.sop_class_uid): bytes(item.service_class_application_information or b"")
        for item in acceptance.user_information
        if isinstance(item, SOPClassExtendedNegotiation)
    }
    return association


def _is_role(item: object) -> bool:
    return isinstance(item, SCP_SCU_RoleSelectionNegotiation)


def _release(path: DataPath) -> None:
    """A-RELEASE; a peer that does not answer it in time loses the connection, which hurts nobody any more."""
    deadline = monotonic() + min(path.peer.timeout, RELEASE_SECONDS)
    try:
        path.write(RELEASE_RQ)
        while True:
            kind, _ = path.read_pdu(deadline)
            if kind == Pdu.RELEASE_RQ:
                path.write(RELEASE_RP)
            elif kind != Pdu.DATA:
                return
    except (ImagingError, Cancelled):
        path.connection.try_write(ABORT)
