"""Every message of the terminal on one page. Threads post them; handlers change state.

A report of a worker carries the `ticket` it was started under: the Event that cancels it. A ticket that is set belongs
to work that was cancelled or superseded, and its reports are to be thrown away.
"""

from threading import Event

from textual.message import Message

from kiosk.audit import Record
from kiosk.imaging.calls import Found
from kiosk.imaging.studies.model import Instance, Picture, Series, SeriesContents, Study, TagRow
from kiosk.operations.facts import Fact, TransferProgress
from kiosk.operations.operations import (
    AuditFound,
    ChainState,
    Destination,
    InstancesArrived,
    OpenedStudy,
    PushRequest,
)
from kiosk.operations.status import KioskStatus


class FactArrived(Message):
    """The kiosk reports a fact; posted to the app from any thread."""

    def __init__(self, fact: Fact) -> None:
        super().__init__()
        self.fact = fact

    def can_replace(self, message: Message) -> bool:
        """Progress of the same push makes the progress still waiting before it needless."""
        if not isinstance(message, FactArrived):
            return False
        new, old = self.fact, message.fact
        return isinstance(new, TransferProgress) and isinstance(old, TransferProgress) and new.job_id == old.job_id


class Reported(Message):
    """A worker reports; see the module's words about tickets."""

    def __init__(self, ticket: Event) -> None:
        super().__init__()
        self.ticket = ticket

    @property
    def is_stale(self) -> bool:
        """True when the work it belongs to was cancelled or superseded."""
        return self.ticket.is_set()


class ActFailed(Reported):
    """An act ended with an error; `act` names the group of the worker, `sentence` is for the screen."""

    def __init__(self, act: str, sentence: str, ticket: Event) -> None:
        super().__init__(ticket)
        self.act = act
        self.sentence = sentence


class StudyArrived(Reported):
    """A row of the running query."""

    def __init__(self, study: Study, ticket: Event) -> None:
        super().__init__(ticket)
        self.study = study


class QueryEnded(Reported):
    """The query is over."""

    def __init__(self, found: Found, ticket: Event) -> None:
        super().__init__(ticket)
        self.found = found


class SeriesArrived(Reported):
    """A series of the study that is being opened."""

    def __init__(self, series: Series, ticket: Event) -> None:
        super().__init__(ticket)
        self.series = series


class StudyOpened(Reported):
    """All series are known, in reading order."""

    def __init__(self, opened: OpenedStudy, ticket: Event) -> None:
        super().__init__(ticket)
        self.opened = opened


class SeriesProgress(Reported):
    """More instances of the series that is being opened are here."""

    def __init__(self, arrived: InstancesArrived, ticket: Event) -> None:
        super().__init__(ticket)
        self.arrived = arrived

    def can_replace(self, message: Message) -> bool:
        """The latest count is enough."""
        return isinstance(message, SeriesProgress) and message.ticket is self.ticket


class SeriesOpened(Reported):
    """All instances of the series are here."""

    def __init__(self, contents: SeriesContents, ticket: Event) -> None:
        super().__init__(ticket)
        self.contents = contents


class PictureArrived(Reported):
    """A picture of that instance is ready to draw."""

    def __init__(self, picture: Picture, instance: Instance, ticket: Event) -> None:
        super().__init__(ticket)
        self.picture = picture
        self.instance = instance


class TagArrived(Reported):
    """A data element of the instance."""

    def __init__(self, row: TagRow, ticket: Event) -> None:
        super().__init__(ticket)
        self.row = row


class TagsEnded(Reported):
    """All data elements are here."""


class DestinationsArrived(Reported):
    """Where this person may push to."""

    def __init__(self, destinations: tuple[Destination, ...], ticket: Event) -> None:
        super().__init__(ticket)
        self.destinations = destinations


class PushQueued(Reported):
    """One of the pushes is in the outbox."""

    def __init__(self, request: PushRequest, ticket: Event) -> None:
        super().__init__(ticket)
        self.request = request


class PushesQueued(Reported):
    """All of the pushes are in the outbox."""


class RecordArrived(Reported):
    """A record of the audit trail that matches."""

    def __init__(self, record: Record, ticket: Event) -> None:
        super().__init__(ticket)
        self.record = record


class RecordsEnded(Reported):
    """All records that match are here."""

    def __init__(self, found: AuditFound, ticket: Event) -> None:
        super().__init__(ticket)
        self.found = found


class ChainChecked(Reported):
    """The chain of the audit trail was checked."""

    def __init__(self, state: ChainState, ticket: Event) -> None:
        super().__init__(ticket)
        self.state = state


class StatusSeen(Reported):
    """How the kiosk stands."""

    def __init__(self, status: KioskStatus, ticket: Event) -> None:
        super().__init__(ticket)
        self.status = status


class OrderFailed(Message):
    """A short order (touch, sign out, cancel, retry, tap) was refused; `sentence` is for the screen."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence = sentence
