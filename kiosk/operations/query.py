"""Asking the archives for studies."""

from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import AuditMessage, Outcome, events
from kiosk.audit.identifier import encode_identifier
from kiosk.errors import ImagingError
from kiosk.imaging.calls import Found, Imaging
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Study, StudyQuery
from kiosk.operations.perform import Ending, Operation
from kiosk.operations.principal import Principal, Session
from kiosk.operations.statement import Statement, who
from kiosk.operations.subjects import peer_node, this_node

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def _keys(query: StudyQuery) -> dict[str, object]:
    return {name: value for name, value in asdict(query).items() if value}


def _identifier(query: StudyQuery) -> dict[int, str]:
    """The keys by tag, as they go out (PS3.4 C.6.2.1)."""
    first, last = (day.strftime("%Y%m%d") if day else "" for day in (query.date_from, query.date_to))
    keys = {
        0x00080020: first if first == last else f"{first}-{last}",
        0x00080050: query.accession_number,
        0x00080052: "STUDY",
        0x00080061: "\\".join(query.modalities),
        0x00081030: query.description,
        0x00100010: query.patient_name,
        0x00100020: query.patient_id,
    }
    return {tag: value for tag, value in keys.items() if value}


@dataclass(frozen=True)
class QueryStudies(Operation[Study, Found]):
    """Study root C-FIND at STUDY level, archive by archive. One that fails is a note while another answers."""

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
        count, more, notes = 0, False, []
        for archive in self.archives:
            try:
                found = yield from self.imaging.find_studies(archive, self.query, self.limit - count, cancel)
            except ImagingError as error:
                self.failed[archive.name] = error
                notes.append(str(error))
                continue
            count, more = count + found.count, more or found.more
            notes.extend(found.notes)
        if self.failed and len(self.failed) == len(self.archives):
            raise next(iter(self.failed.values()))
        return Found(count, more, tuple(notes))

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """One Query message an archive, each with its own outcome (PS3.15 A.5.3.10); the answers are not recorded."""
        said = f"Query: {ending.items} studies, {ending.words}"
        messages = tuple(
            message
            for archive in self.archives
            for message in self._asked(by, archive, self._ending_at(archive, ending))
        )
        return Statement(said, ending.outcome, messages, details=self._details)

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
