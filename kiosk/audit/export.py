"""Records as lines: JSON, DICOM XML, FHIR, comma-separated values, or a table for people.

JSON, FHIR and XML lines hold exactly what was recorded, in characters that print: JSON in ASCII, XML with references
for what does not print. Lines for people and for spreadsheets pass `safe_text`. With `masked`, patients are masked in
all of them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from kiosk.audit import comma_separated
from kiosk.audit.canonical import encode_record
from kiosk.audit.fhir import audit_events
from kiosk.audit.mask import Mask
from kiosk.audit.record import Record
from kiosk.audit.table import badge_text, outcome_text, patient_text, person_text, row, utc_text
from kiosk.audit.xml import render

WIDTHS: Final = (8, 20, 28, 40, 18, 12)
HEADINGS: Final = ("No.", "Time (UTC)", "Person", "Badge", "Act", "Outcome", "What")


def jsonl(records: Iterable[Record], *, masked: bool = False) -> Iterator[str]:
    """One record a line, canonical JSON in ASCII; masked lines say so and their hashes are those of the original."""
    mask = Mask()
    for record in records:
        line = encode_record(mask.record(record), masked=True) if masked else encode_record(record)
        yield line.decode("ascii")


def xml(records: Iterable[Record], *, masked: bool = False) -> Iterator[str]:
    """One PS3.15 message a line, in the order of the records; records without a message give no line."""
    for record in _masked(records, masked):
        for message in record.entry.messages:
            yield render(message, record.time, record.source)


def fhir(records: Iterable[Record], *, masked: bool = False) -> Iterator[str]:
    """One FHIR R4 AuditEvent a line, JSON in ASCII, for each PS3.15 message (see `kiosk.audit.fhir`)."""
    for record in _masked(records, masked):
        yield from audit_events(record)


def csv(records: Iterable[Record], *, masked: bool = False) -> Iterator[str]:
    """A header, then one record a line (RFC 4180, without line ends); no cell is a spreadsheet's formula."""
    yield comma_separated.HEADER
    for record in _masked(records, masked):
        yield comma_separated.line(record)


def show(records: Iterable[Record], *, masked: bool = False) -> Iterator[str]:
    """A heading, then one record a line: number, time, person, badge, act, outcome, and what it was about."""
    yield row(HEADINGS, WIDTHS)
    for record in _masked(records, masked):
        yield row(_cells(record), WIDTHS)


FORMATS: Final[dict[str, Callable[..., Iterator[str]]]] = {"csv": csv, "jsonl": jsonl, "xml": xml, "fhir": fhir}
"""By the name of the format, what writes it: `FORMATS["xml"](records, masked=True)`."""


def _masked(records: Iterable[Record], masked: bool) -> Iterable[Record]:
    return map(Mask().record, records) if masked else records


def _cells(record: Record) -> tuple[str, ...]:
    entry = record.entry
    about = "" if entry.patient is None else f"; patient {patient_text(entry.patient)}"
    return (
        str(record.sequence),
        utc_text(record.time),
        person_text(entry.actor),
        badge_text(entry.actor),
        entry.act,
        outcome_text(entry),
        entry.summary + about,
    )
