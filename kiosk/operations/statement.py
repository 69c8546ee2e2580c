"""What an act says about itself to the trail."""

from dataclasses import dataclass, field

from kiosk.audit import ActiveParticipant, Actor, AuditMessage, Outcome, PatientRef, RecordedProof, Who
from kiosk.operations.principal import Badge, Delegation, Principal, Session, System


@dataclass(frozen=True)
class Statement:
    """One record's worth: a sentence for people, the PS3.15 messages, and whom it concerns.

    `badge` names the card of somebody who is not (yet) a principal: a tap at the lock screen. `if_interrupted` are the
    messages of an act that begins and is interrupted for good.
    """

    summary: str
    outcome: Outcome | None = None
    messages: tuple[AuditMessage, ...] = ()
    patient: PatientRef | None = None
    badge: Badge | None = None
    user: tuple[str, str] | None = None
    proof: RecordedProof | None = None
    details: tuple[tuple[str, str], ...] = field(default=())
    if_interrupted: tuple[AuditMessage, ...] = ()


def actor_of(by: Principal, statement: Statement) -> Actor:
    """The record's actor: the principal, or the holder of the badge that was just tapped."""
    match by:
        case Session():
            return Actor("session", by.user_id, by.display_name, by.badge.tokens, by.session_id, by.role)
        case Delegation():
            return Actor("delegation", by.user_id, by.display_name, by.badge.tokens, by.session_id, by.role)
        case System():
            user_id, user_name = statement.user or (by.name, "")
            unix = by.name.startswith("unix:")
            return Actor(
                "unix" if unix else "system", user_id, user_name, statement.badge.tokens if statement.badge else ()
            )


def who(by: Principal, *, is_requestor: bool = True) -> Who:
    """The principal as a participant of a PS3.15 message."""
    match by:
        case Session() | Delegation():
            return Who(by.user_id, by.display_name, by.badge.tokens, by.role, is_requestor)
        case System():
            return Who(by.name, "", (), "", is_requestor)


__all__ = ["ActiveParticipant", "Statement", "actor_of", "who"]
