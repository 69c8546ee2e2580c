"""The one way to do anything: authorise, record the intent, act, record the outcome.

An act is an `Operation`; nothing in the kiosk runs one except `perform`. The intent is durable before the act begins,
and an act whose outcome cannot be recorded takes the kiosk out of service.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from threading import Event
from typing import ClassVar, Final, Generic, NoReturn, Protocol, TypeVar, runtime_checkable

from kiosk.access.policy import Permission
from kiosk.audit import AuditMessage, Entry, Outcome, Phase, Receipt, events
from kiosk.errors import Cancelled, KioskError, NoSession, NotAllowed, PeerUntrusted
from kiosk.operations.principal import Principal, Session
from kiosk.operations.statement import Statement, actor_of, who

Item_co = TypeVar("Item_co", covariant=True)
Result_co = TypeVar("Result_co", covariant=True)
T = TypeVar("T")

UNNAMED: Final = "unknown"
INTERRUPTED: Final = "interrupted"
"""How an act ended that a crash kept from its end."""


@dataclass(frozen=True)
class Ending:
    """How an act ended: `error` None when it went through. `items` counts what it yielded."""

    error: KioskError | None = None
    interrupted: bool = False
    items: int = 0
    result: object = None

    @property
    def outcome(self) -> Outcome:
        """PS3.15 A.5.3: 0 success, 4 when the person cancelled, 8 when it failed."""
        if self.interrupted or isinstance(self.error, Cancelled):
            return Outcome.MINOR
        return Outcome.SUCCESS if self.error is None else Outcome.SERIOUS

    @property
    def words(self) -> str:
        """How it ended, for the outcome's sentence."""
        if self.interrupted:
            return "broken off"
        return "done" if self.error is None else str(self.error)


@runtime_checkable
class Unfinished(Protocol):
    """The result of an act that is to be gone on with."""

    @property
    def later(self) -> KioskError | None:
        """Why; None when it is over."""


class Operation(ABC, Generic[Item_co, Result_co]):
    """One act. Subclasses are frozen dataclasses of a request and the tools it needs."""

    name: ClassVar[str]
    permission: ClassVar[Permission | None]
    accepts: ClassVar[tuple[type, ...]]

    @abstractmethod
    def intent(self, by: Principal) -> Statement:
        """What is about to be done."""

    @abstractmethod
    def act(self, by: Principal, cancel: Event) -> Generator[Item_co, None, Result_co]:
        """Does it; yields what comes on the way. Raises KioskError only."""

    @abstractmethod
    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """What came of it."""

    def failures(self, ending: Ending) -> tuple[KioskError, ...]:
        """Everything that failed on the way, also what the act went on without."""
        later = ending.result.later if isinstance(ending.result, Unfinished) else None
        return tuple(error for error in (ending.error, later) if error is not None)


class Deed(Operation[None, Result_co]):
    """An act that yields nothing on the way."""

    @abstractmethod
    def do(self, by: Principal, cancel: Event) -> Result_co:
        """Does it. Raises KioskError only."""

    def act(self, by: Principal, cancel: Event) -> Generator[None, None, Result_co]:
        """The deed as a generator of nothing."""
        yield from ()
        return self.do(by, cancel)


class Ledger(Protocol):
    """Where intents and outcomes go; append raises TrailError and takes the kiosk out of service."""

    def append(self, entry: Entry) -> Receipt:
        """Durable when it returns."""


@dataclass(frozen=True)
class Desk:
    """What `perform` needs: the trail, and how to ask whether a session is still open."""

    ledger: Ledger
    is_open: Callable[[str], bool]


def perform(
    desk: Desk,
    by: Principal,
    operation: Operation[Item_co, Result_co],
    cancel: Event | None = None,
    act_id: str | None = None,
) -> Generator[Item_co, None, Result_co]:
    """Runs one operation for one principal, leaving an intent and an outcome under `act_id`, by default a new one.

    Raises NotAllowed or NoSession (on record) before anything is done, TrailError when it cannot be recorded, and
    whatever KioskError the act ends with.
    """
    act_id = act_id or uuid.uuid4().hex
    _authorise(desk, by, operation)
    meant = replace(operation.intent(by), if_interrupted=_if_interrupted(operation, by))
    _record(desk, by, operation.name, act_id, Phase.INTENT, meant)
    items, ended = 0, Ending(interrupted=True)
    work = operation.act(by, cancel or Event())
    try:
        while True:
            try:
                item = next(work)
            except StopIteration as stop:
                ended = Ending(items=items, result=stop.value)
                return stop.value  # type: ignore[no-any-return]  # the act's own result type
            items += 1
            ended = Ending(interrupted=True, items=items)
            yield item
    except KioskError as error:
        ended = Ending(error=error, items=items)
        raise
    except Exception as error:  # a mistake of ours: it goes on up, but the record must not call it broken off
        ended = Ending(error=KioskError(f"It failed unexpectedly ({type(error).__name__})."), items=items)
        raise
    finally:
        try:
            work.close()
        finally:
            _record(desk, by, operation.name, act_id, Phase.OUTCOME, _outcome(operation, by, ended))


def finish(work: Generator[object, None, T]) -> T:
    """Runs a performed operation whose items nobody needs."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # the generator's own result type


def require(desk: Desk, by: Session, act: str, permission: Permission | None) -> None:
    """Raises NoSession or NotAllowed, on record, when this session may not do that act."""
    if not desk.is_open(by.session_id):
        refuse(desk, by, act, NoSession("The session has ended. Tap your badge to go on."))
    if permission is not None and permission not in by.permissions:
        refuse(desk, by, act, NotAllowed(f"Your role ({by.role}) may not do this: {act.replace('_', ' ')}."))


def refuse(desk: Desk, by: Principal, act: str, refusal: KioskError) -> NoReturn:
    """Raises the refusal once it is on record as Use of Restricted Function (PS3.15 A.5.3.11)."""
    said = Statement(
        f"Refused: {act.replace('_', ' ')}. {refusal}",
        Outcome.SERIOUS,
        events.restricted_function(who(by), act, str(refusal)),
    )
    _record(desk, by, act, uuid.uuid4().hex, Phase.EVENT, said)
    raise refusal


def _authorise(desk: Desk, by: Principal, operation: Operation[object, object]) -> None:
    if type(by) not in operation.accepts:
        refuse(desk, by, operation.name, NotAllowed(f"{operation.name.replace('_', ' ')} cannot be done this way."))
    if isinstance(by, Session):
        require(desk, by, operation.name, operation.permission)


def _outcome(operation: Operation[object, object], by: Principal, ended: Ending) -> Statement:
    try:
        said = operation.outcome(by, ended)
    except KioskError as error:  # what it would tell is out of reach; that it ended is told all the same
        words = f"{operation.name.replace('_', ' ')}: {ended.words} What came of it is not known: {error}"
        said = Statement(words, Outcome.SERIOUS)
    # Node Authentication (PS3.15 A.5.3.11), once an act for each peer with which TLS did not come about.
    untrusted = {error.node: error for error in operation.failures(ended) if isinstance(error, PeerUntrusted)}
    alerts = (events.node_refused(who(by), node or UNNAMED, str(error)) for node, error in untrusted.items())
    return replace(said, messages=sum(alerts, said.messages))


def _if_interrupted(operation: Operation[object, object], by: Principal) -> tuple[AuditMessage, ...]:
    """What the act leaves when a crash interrupts it: the messages of a failure. Only now are its peers and its subject
    at hand; who closes it knows the record alone."""
    messages = _outcome(operation, by, Ending(KioskError(INTERRUPTED))).messages
    failed = tuple(message for message in messages if message.outcome is not Outcome.SUCCESS)
    # What went in an earlier attempt has been told of: now this one failed.
    return tuple(map(_interrupted, failed or messages))


def _interrupted(message: AuditMessage) -> AuditMessage:
    said = message.outcome_description
    if INTERRUPTED not in said:
        said = ": ".join(filter(None, (said.rstrip("."), INTERRUPTED)))
    return replace(message, outcome=Outcome.SERIOUS, outcome_description=said)


def _record(desk: Desk, by: Principal, act: str, act_id: str, phase: Phase, said: Statement) -> Receipt:
    return desk.ledger.append(
        Entry(
            act=act,
            act_id=act_id,
            phase=phase,
            actor=actor_of(by, said),
            summary=said.summary,
            outcome=said.outcome,
            messages=said.messages,
            patient=said.patient,
            proof=said.proof,
            details=said.details,
            if_interrupted=said.if_interrupted,
        )
    )
