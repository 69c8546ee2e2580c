"""A record as a line of comma-separated values (RFC 4180) that a spreadsheet takes for text."""

import csv
import io
from typing import Final

from kiosk.audit.record import Record
from kiosk.audit.selection import session_of, studies_of
from readers.text import safe_text

COLUMNS: Final = (
    "number",
    "time",
    "act",
    "phase",
    "outcome",
    "person",
    "name",
    "role",
    "badge",
    "session",
    "patient_id",
    "issuer",
    "patient_name",
    "studies",
    "summary",
    "details",
    "act_id",
    "hash",
)
HEADER: Final = ",".join(COLUMNS)
LONGEST: Final = 32_000
"""Spreadsheets take 32,767 characters a cell."""
FORMULA: Final = frozenset("=+-@＝＋－＠")
AS_TEXT: Final = "'"


def line(record: Record) -> str:
    """The record under COLUMNS, without a line end. Times are UTC with microseconds; outcomes 0, 4, 8, 12 or empty."""
    entry, actor, patient = record.entry, record.entry.actor, record.entry.patient
    return _row(
        (
            str(record.sequence),
            record.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            entry.act,
            entry.phase.value,
            "" if entry.outcome is None else str(int(entry.outcome)),
            actor.user_id,
            actor.user_name,
            actor.role,
            ";".join(actor.badge),
            session_of(entry),
            patient.patient_id if patient else "",
            patient.issuer if patient else "",
            patient.name if patient else "",
            ";".join(sorted(studies_of(entry))),
            entry.summary,
            "; ".join(f"{key}={value}" for key, value in entry.details),
            entry.act_id,
            record.hash.hex(),
        )
    )


def cell(text: str) -> str:
    """Plain text that no spreadsheet calculates: what begins like a formula gets an apostrophe in front (OWASP)."""
    plain = safe_text(text, LONGEST)
    return AS_TEXT + plain if plain.lstrip()[:1] in FORMULA else plain


def _row(texts: tuple[str, ...]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([cell(text) for text in texts])
    return written.getvalue()
