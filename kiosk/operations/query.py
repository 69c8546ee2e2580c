"""Asking the archives for studies."""

from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from functools import partial
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import AuditMessage, Outcome, events
from kiosk.audit.identifier import encode_identifier
from kiosk.errors import ImagingError, KioskError
from kiosk.imaging.calls import Found, Imaging
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Study, StudyQuery
from kiosk.operations.perform import Ending, Operation
from kiosk.operations.principal import Principal, Session
from kiosk.operations.statement import Statement, who
from kiosk.operations.subjects import peer_node, this_node
from kiosk.operations.union import Union

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def _keys(query: StudyQuery) -> dict[str, object]:
    return {name: value for name, value in asdict(query).items() if value and (name, value) != ("pages", 1)}


def _identifier(query: StudyQuery) -> dict[int, str]:
    """The keys by tag, as they go out (PS3.4 C.6.2.1)."""
    first, last = (day.strftime("%Y%m%d") if day else "" for day in (query.date_from, query.date_to))
    times = "-".join(moment.strftime("%H%M%S") if moment else "" for moment in (query.time_from, query.time_to))
    keys = {
        0x00080020: first if first == last else f"{first}-{last}",
        0x00080030: times if times != "-" else "",
        0x00080050: query.accession_number,
        0x00080052: "STUDY",
        0x00080061: "\\".join(query.modalities),
        0x00080090: query.referring_physician,
        0x00081030: query.description,
        0x00100010: query.patient_name,
        0x00100020: query.patient_id,
        0x00100021: query.issuer,
        0x0020000D: "\\".join(query.study_instance_uids),
        0x00200010: query.study_id,
    }
    return {tag: value for tag, value in keys.items() if value}


@dataclass(frozen=True)
class QueryStudies(Operation[Study, Found]):
    """C-FIND at STUDY level at every archive at once. One that fails is a note while another answers.

    `limit` studies are a page; the query says how many pages are wanted. A row comes again when more is known of it.
    """

    name: ClassVar[str] = "query"
    permission: ClassVar[Permission | None] = Permission.QUERY
    accepts: ClassVar[tuple[type, ...]] = (Session,)

    imaging: Imaging
    archives: tuple[Peer, ...]
    query: StudyQuery
    limit: int
    failed: dict[str, ImagingError] = field(default_factory=dict, repr=False, compare=False)
    """What each archive that failed said, by its name."""

    def intent(self, by: Principal) -> Statement:
        """The keys asked for; the record's patient fields hold what could name somebody."""
        return Statement("Query", details=self._details)

    def act(self, by: Principal, cancel: Event) -> Generator[Study, None, Found]:
        """Studies as they come."""
        limit = self.limit * max(1, self.query.pages)
        union = Union({archive.name: partial(self._ask, archive, limit) for archive in self.archives}, limit)
        try:
            yield from union.run(cancel)
        finally:
            self.failed.update(union.failed)
        if self.failed and len(self.failed) == len(self.archives):
            raise next(self.failed[archive.name] for archive in self.archives)
        unread = sum(found.unread for found in union.found.values())
        return Found(union.count, union.more, union.notes(), unread)

    def _ask(self, archive: Peer, limit: int, cancel: Event) -> Generator[Study, None, Found]:
        return self.imaging.find_studies(archive, self.query, limit, cancel)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """One Query message an archive, each with its own outcome (PS3.15 A.5.3.10); the answers are not recorded."""
        count = ending.result.count if isinstance(ending.result, Found) else ending.items
        said = f"Query: {count} studies, {ending.words}"
        messages = tuple(
            message
            for archive in self.archives
            for message in self._asked(by, archive, self._ending_at(archive, ending))
        )
        return Statement(said, ending.outcome, messages, details=self._details)

    def failures(self, ending: Ending) -> tuple[KioskError, ...]:
        """Also those of archives without which the others answered."""
        return (*super().failures(ending), *self.failed.values())

    def _ending_at(self, archive: Peer, ending: Ending) -> Ending:
        error = self.failed.get(archive.name)
        return ending if error is None else Ending(error)

    def _asked(self, by: Principal, archive: Peer, ending: Ending) -> tuple[AuditMessage, ...]:
        return events.query(
            who(by),
            this_node(archive.calling_ae_title),
            peer_node(archive),
            STUDY_ROOT_FIND,
            encode_identifier(_identifier(self.query)),
            ending.outcome,
            "" if ending.outcome is Outcome.SUCCESS else ending.words,
        )

    @property
    def _details(self) -> tuple[tuple[str, str], ...]:
        return tuple((f"key.{name}", str(value)) for name, value in _keys(self.query).items())
