"""How a badge is named on record: by its UID, by a token that only the site can make from it, or by both.

AlternativeUserID (PS3.15 A.5.2.2) is one text. What a person is known by there stands in it with semicolons between, as
AE titles do in a process's: first the UID ("uid:04A1B2C3D4E5F6") or its token ("token:" and 32 hexadecimal digits) or
both in that order, then the fingerprint of what proved more than a UID ("pkoc:9f2c51d07a3b4e6d").
A UID can be read by anybody near the card and written to another: a token names the badge and gives nothing to copy.
"""

import hmac
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from kiosk.audit.alerts import CARD_URN
from kiosk.audit.message import ActiveParticipant, AuditMessage, ParticipantObject
from kiosk.audit.record import Entry

UID: Final = "uid:"
TOKEN: Final = "token:"  # noqa: S105  # how a badge is named on record; nothing is opened with it
SEPARATOR: Final = ";"
LABEL: Final = b"kiosk badge token"
TOKEN_SIZE: Final = 16
KEY_SIZE: Final = 32
SHORTEST_UID: Final = 4


class BadgeId(Enum):
    """What stands for a badge."""

    UID = "uid"
    TOKEN = "token"  # noqa: S105  # the setting's value
    BOTH = "both"


@dataclass(frozen=True)
class BadgeNaming:
    """Names badges in entries before they are recorded. `key` is the site's, 32 octets: kiosks that share it give one
    badge one token. Raises ValueError where a token is wanted and the key is not one.
    """

    badge_id: BadgeId = BadgeId.UID
    key: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if self.badge_id is not BadgeId.UID and len(self.key) != KEY_SIZE:
            raise ValueError(f"A badge token is made with a key of {KEY_SIZE} octets")

    def token(self, uid: str) -> str:
        """The token of a UID in upper-case hexadecimal: 16 octets of HMAC-SHA-256(key, "kiosk badge token" ‖ UID)."""
        return TOKEN + hmac.digest(self.key, LABEL + uid.encode("ascii", "replace"), "sha256")[:TOKEN_SIZE].hex()

    def names(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        """The same badge as it is named on record; what is no UID stays, so that naming twice is naming once."""
        if self.badge_id is BadgeId.UID:
            return tokens
        named: list[str] = []
        for token in tokens:
            if not token.startswith(UID):
                named.append(token)
                continue
            made = self.token(token.removeprefix(UID).upper())
            named += [made] if self.badge_id is BadgeId.TOKEN else [token, made]
        return tuple(dict.fromkeys(named))

    def also(self, badge: str) -> str:
        """The token under which a badge that somebody asks for by its UID is on record; empty where that is its UID.

        A UID may be written with blanks or colons, and with "uid:" before it.
        """
        typed = "".join(badge.split()).lower().removeprefix(UID).replace(":", "")
        is_uid = len(typed) >= SHORTEST_UID and len(typed) % 2 == 0 and set(typed) <= set("0123456789abcdef")
        return self.token(typed.upper()) if is_uid and self.badge_id is BadgeId.TOKEN else ""

    def entry(self, entry: Entry) -> Entry:
        """The entry with every badge in it named: the actor's, each participant's, and a card that it is about."""
        if self.badge_id is BadgeId.UID:
            return entry
        actor = replace(entry.actor, badge=self.names(entry.actor.badge))
        messages, if_interrupted = (tuple(map(self._message, each)) for each in (entry.messages, entry.if_interrupted))
        return replace(entry, actor=actor, messages=messages, if_interrupted=if_interrupted)

    def _message(self, message: AuditMessage) -> AuditMessage:
        return replace(
            message,
            participants=tuple(map(self._participant, message.participants)),
            objects=tuple(map(self._object, message.objects)),
        )

    def _participant(self, participant: ActiveParticipant) -> ActiveParticipant:
        known = tuple(participant.alternative_user_id.split(SEPARATOR))
        return replace(participant, alternative_user_id=SEPARATOR.join(self.names(known)))

    def _object(self, item: ParticipantObject) -> ParticipantObject:
        uid = item.object_id.removeprefix(CARD_URN)
        if self.badge_id is BadgeId.BOTH or uid == item.object_id or uid.startswith(TOKEN):
            return item
        return replace(item, object_id=CARD_URN + self.token(uid.upper()))
