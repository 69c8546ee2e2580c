"""Asking one archive at any level of either root."""

from collections.abc import Generator
from dataclasses import dataclass
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import Outcome, events
from kiosk.audit.identifier import encode_identifier
from kiosk.imaging.calls import Found, Imaging
from kiosk.imaging.lookups import BY_KEYWORD, Lookup, Match
from kiosk.imaging.peers import Peer
from kiosk.operations.perform import Ending, Operation
from kiosk.operations.principal import Principal, Session
from kiosk.operations.statement import Statement, who
from kiosk.operations.subjects import peer_node, this_node

QUERY_RETRIEVE_LEVEL = 0x00080052


@dataclass(frozen=True)
class LookUp(Operation[Match, Found]):
    """C-FIND at the level and root of the lookup; relational where it must be and the archive grants it."""

    name: ClassVar[str] = "look_up"
    permission: ClassVar[Permission | None] = Permission.QUERY
    accepts: ClassVar[tuple[type, ...]] = (Session,)

    imaging: Imaging
    archive: Peer
    lookup: Lookup
    limit: int

    def intent(self, by: Principal) -> Statement:
        """The keys asked for; the record's patient fields hold what could name somebody."""
        return Statement("Query", details=self._details)

    def act(self, by: Principal, cancel: Event) -> Generator[Match, None, Found]:
        """Answers as they come."""
        return (yield from self.imaging.look_up(self.archive, self.lookup, self.limit, cancel))

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """A Query message (PS3.15 A.5.3.10); the answers are not recorded."""
        keys = {BY_KEYWORD[keyword].tag: value for keyword, value in self.lookup.keys if keyword in BY_KEYWORD}
        messages = events.query(
            who(by),
            this_node(self.archive.calling_ae_title),
            peer_node(self.archive),
            self.lookup.root.sop_class_uid,
            encode_identifier({**keys, QUERY_RETRIEVE_LEVEL: self.lookup.level.value}),
            ending.outcome,
            "" if ending.outcome is Outcome.SUCCESS else ending.words,
        )
        said = f"Query: {ending.items} of the {self.lookup.level.value} level, {ending.words}"
        return Statement(said, ending.outcome, messages, details=self._details)

    @property
    def _details(self) -> tuple[tuple[str, str], ...]:
        return (
            ("root", self.lookup.root.value),
            ("level", self.lookup.level.value),
            *((f"key.{keyword}", value) for keyword, value in self.lookup.keys),
        )
