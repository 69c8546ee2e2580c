"""The whole kiosk as its front ends see it: one protocol, plain values in and out.

A front end holds an `Operations` and nothing else: composed in one process or over a socket, it cannot tell.
Every method may raise KioskError; its text is a sentence for the screen.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from kiosk.audit import Record, Selection
from kiosk.imaging.calls import Found
from kiosk.imaging.lookups import Lookup, Match
from kiosk.imaging.studies.model import Instance, Picture, Series, SeriesContents, Study, StudyQuery, TagRow
from kiosk.operations.facts import Fact
from kiosk.operations.status import KioskStatus


@dataclass(frozen=True)
class Destination:
    """A peer that may be pushed to."""

    name: str
    ae_title: str
    description: str = ""


@dataclass(frozen=True)
class DemoCard:
    """A virtual card shown along the bottom of the demo: press `key` to tap it."""

    key: str
    card: str
    label: str


@dataclass(frozen=True)
class Station:
    """What the front end shows without a session. The demo fields are empty outside the demo."""

    name: str
    site: str
    archives: tuple[str, ...]
    demo_cards: tuple[DemoCard, ...] = ()
    demo_pin: str = ""


@dataclass(frozen=True)
class OpenedStudy:
    """A study and its series, in the order a study is read."""

    study: Study
    series: tuple[Series, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class InstancesArrived:
    """Progress of opening a series: the instances that are here so far, in true order."""

    received: int
    expected: int | None
    contents: SeriesContents | None = None


@dataclass(frozen=True)
class PushRequest:
    """Whole studies (`series_instance_uids` empty) or chosen series of one, to one destination."""

    study: Study
    series_instance_uids: tuple[str, ...]
    destination: str
    expected_instances: int | None = None


@dataclass(frozen=True)
class PushAccepted:
    """The push is in the outbox."""

    job_id: str


@dataclass(frozen=True)
class AuditFound:
    """How a search of the trail ended: so many records, and whether there are more. `unread` says which archived months
    were to be looked into and could not be."""

    count: int
    more: bool
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChainState:
    """Whether the trail's chain is whole, in a sentence with its length, its head and its last checkpoint."""

    whole: bool
    sentence: str


class Operations(Protocol):
    """Everything a person at the terminal can make the kiosk do."""

    def station(self) -> Station:
        """Name and surroundings of this kiosk."""

    def status(self) -> KioskStatus:
        """How the trail and its delivery stand; for anybody, without a session. Blocks for up to some seconds."""

    def subscribe(self, listener: Callable[[Fact], None]) -> Callable[[], None]:
        """Posts facts from any thread, the current state first; returns what ends the subscription.

        Facts about a session go to listeners only while that session is open.
        """

    def enter_pin(self, claim_id: str, pin: str) -> None:
        """Answers a PinAsked; what comes of it arrives as a fact. Blocks for the PIN hash (about 0.2 s)."""

    def abandon_pin(self, claim_id: str) -> None:
        """The person closed the PIN box."""

    def touch(self, session_id: str) -> None:
        """Somebody pressed a key: the idle clock starts again."""

    def sign_out(self, session_id: str) -> None:
        """Ends the session."""

    def query(self, session_id: str, query: StudyQuery, cancel: Event) -> Generator[Study, None, Found]:
        """Studies as they come from the archive."""

    def look_up(self, session_id: str, archive: str, lookup: Lookup, cancel: Event) -> Generator[Match, None, Found]:
        """What one archive, the first where none is named, holds at a level of either root."""

    def open_study(self, session_id: str, study: Study, cancel: Event) -> Generator[Series, None, OpenedStudy]:
        """Series as they come, then all of them in reading order."""

    def open_series(
        self, session_id: str, study: Study, series: Series, cancel: Event
    ) -> Generator[InstancesArrived, None, SeriesContents]:
        """Retrieves the series into the session's spool; instances become visible as they arrive."""

    def picture(
        self, session_id: str, instance: Instance, frame: int, max_width: int, max_height: int, cancel: Event
    ) -> Picture:
        """A frame of an instance of an opened series."""

    def tags(self, session_id: str, instance: Instance, cancel: Event) -> Generator[TagRow, None, None]:
        """The data elements of an instance of an opened series."""

    def destinations(self, session_id: str) -> tuple[Destination, ...]:
        """Where this person may push to."""

    def push(self, session_id: str, request: PushRequest) -> PushAccepted:
        """Puts a push into the outbox; it goes on after sign-out. Progress arrives as TransferProgress."""

    def cancel_push(self, session_id: str, job_id: str) -> None:
        """Stops a push at once; what the destination already has stays there."""

    def retry_push(self, session_id: str, job_id: str) -> None:
        """Sends again what failed or was cancelled."""

    def read_audit(
        self, session_id: str, selection: Selection, limit: int, cancel: Event, *, newest_first: bool = True
    ) -> Generator[Record, None, AuditFound]:
        """Records of the trail, at most `limit`; on record as a reading of it. For auditors."""

    def verify_audit(self, session_id: str, cancel: Event) -> ChainState:
        """Checks the whole chain, which takes a while; on record. For auditors."""

    def present(self, card: str, seconds: float | None = None) -> None:
        """Demo only: lays a virtual card on the simulated reader; raises NotAllowed elsewhere."""

    def close(self) -> None:
        """Ends the session, the watch and the worker, on record."""
