"""Records as lines: JSON, DICOM XML, or a table for people.

JSON and XML lines hold exactly what was recorded, in characters that print: JSON in ASCII, XML with references for
what does not print. Lines for people pass `safe_text`. With `masked`, patients are masked in all of them.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from kiosk.audit.canonical import encode_record
from kiosk.audit.mask import Mask
from kiosk.audit.message import Outcome
from kiosk.audit.record import Phase, Record
from kiosk.audit.xml import render
from readers.text import cell_width, safe_text

NO_BADGE: Final = "-"
GAP: Final = "  "
WIDTHS: Final = (6, 20, 24, 40, 14, 12)
HEADINGS: Final = ("No.", "Time (UTC)", "Person", "Badge", "Act", "Outcome", "What")
OUTCOME_WORDS: Final = {
    None: "-",
    Outcome.SUCCESS: "success",
    Outcome.MINOR: "minor (4)",
    Outcome.SERIOUS: "serious (8)",
    Outcome.MAJOR: "major (12)",
}


def jsonl(records: Iterable[Record], *, masked: bool = False) -> Iterator[str]:
    """One record a line, canonical JSON in ASCII; masked lines say so and their hashes are those of the original."""
    mask = Mask()
    for record in records:
        line = encode_record(mask.record(record), masked=True) if masked else encode_record(record)
        yield line.decode("ascii")


def xml(records: Iterable[Record], *, masked: bool = False) -> Iterator[str]:
    """One PS3.15 message a line, in the order of the records; records without a message give no line."""
    mask = Mask()
    for record in records:
        entry = mask.record(record).entry if masked else record.entry
        for message in entry.messages:
            yield render(message, record.time, record.source)


def show(records: Iterable[Record], *, masked: bool = False) -> Iterator[str]:
    """A heading, then one record a line: number, time, person, badge, act, outcome, and what it was about."""
    yield _row(HEADINGS)
    mask = Mask()
    for record in records:
        yield _row(_cells(mask.record(record) if masked else record))


def _cells(record: Record) -> tuple[str, ...]:
    entry, actor = record.entry, record.entry.actor
    person = f"{actor.user_name} ({actor.user_id})" if actor.user_name else actor.user_id
    patient = entry.patient
    about = "" if patient is None else f"; patient {patient.name} ({'/'.join(filter(None, _ids(record)))})"
    return (
        str(record.sequence),
        record.time.strftime("%Y-%m-%d %H:%M:%SZ"),
        person,
        ";".join(actor.badge) or NO_BADGE,
        entry.act,
        "begun" if entry.phase is Phase.INTENT else OUTCOME_WORDS[entry.outcome],
        entry.summary + about,
    )


def _ids(record: Record) -> tuple[str, str]:
    patient = record.entry.patient
    return (patient.patient_id, patient.issuer) if patient else ("", "")


def _row(cells: tuple[str, ...]) -> str:
    *columns, last = (safe_text(cell) for cell in cells)
    padded = (text + " " * max(0, width - cell_width(text)) for text, width in zip(columns, WIDTHS, strict=True))
    return GAP.join((*padded, last))
