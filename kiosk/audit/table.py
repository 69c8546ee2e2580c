"""Cells and rows of lines for people; whatever is in a record prints as plain text."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from kiosk.audit.message import Outcome, PatientRef
from kiosk.audit.record import Actor, Entry, Phase
from readers.text import cell_width, clip, safe_text

NO_BADGE: Final = "-"
GAP: Final = "  "
LONGEST_CELL: Final = 1024
OUTCOME_WORDS: Final = {
    None: "-",
    Outcome.SUCCESS: "success",
    Outcome.MINOR: "minor (4)",
    Outcome.SERIOUS: "serious (8)",
    Outcome.MAJOR: "major (12)",
}


def row(cells: Sequence[str], widths: Iterable[int]) -> str:
    """The cells beside each other on one printable line; each but the last takes exactly its width in terminal cells.

    What is longer ends in an ellipsis: the formats for machines have it whole.
    """
    *columns, last = (safe_text(cell, LONGEST_CELL) for cell in cells)
    fitted = (_fitted(text, width) for text, width in zip(columns, widths, strict=True))
    return GAP.join((*fitted, last)).rstrip()


def _fitted(text: str, width: int) -> str:
    shown = clip(text, width)
    return shown + " " * (width - cell_width(shown))


def utc_text(time: datetime) -> str:
    """A time of the record, to the second, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ")


def person_text(actor: Actor) -> str:
    """Name and user ID of whoever acted."""
    return f"{actor.user_name} ({actor.user_id})" if actor.user_name else actor.user_id


def badge_text(actor: Actor) -> str:
    """The tokens of the credential in hand."""
    return ";".join(actor.badge) or NO_BADGE


def patient_text(patient: PatientRef) -> str:
    """Name, ID and issuer."""
    return f"{patient.name} ({'/'.join(filter(None, (patient.patient_id, patient.issuer)))})"


def outcome_text(entry: Entry) -> str:
    """How it ended, or that it began."""
    return "begun" if entry.phase is Phase.INTENT else OUTCOME_WORDS[entry.outcome]


def seconds_text(seconds: float | None) -> str:
    """A duration as people say it: 0.4 s, 12 s, 3 min 5 s, 1 h 2 min; empty when unknown."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(count: int, one: str, many: str = "") -> str:
    """ "1 record", "2 records"."""
    return f"{count} {one if count == 1 else many or one + 's'}"
