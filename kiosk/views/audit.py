"""Records of the audit trail as rows of tables."""

from collections.abc import Iterable
from datetime import date

from kiosk.access.policy import Permission
from kiosk.audit import Record, listing, stays
from kiosk.audit.table import badge_text, outcome_text, patient_text, person_text, utc_text
from kiosk.operations.facts import SessionOpened
from kiosk.operations.operations import AuditFound
from kiosk.views.columns import Column
from kiosk.views.text import joined, one_line
from kiosk.views.words import _, plural

LONGEST = 512
AUDIT_COLUMNS = (
    Column("number", _("No."), 6, right=True),
    Column("time", _("Time (UTC)"), 19),
    Column("person", _("Person"), 16, weight=2),
    Column("badge", _("Badge"), 20, weight=1),
    Column("act", _("Act"), 12),
    Column("outcome", _("Outcome"), 12),
    Column("patient", _("Patient"), 14, weight=2),
    Column("what", _("What"), 16, weight=5),
)
FIELD_COLUMNS = (Column("field", _("Field"), 24), Column("value", _("Value"), 40, weight=1))
DAY_COLUMNS = (
    Column("time", _("Time"), 10),
    Column("took", _("Took"), 11),
    Column("outcome", _("Outcome"), 12),
    Column("what", _("What"), 40, weight=1),
)


def audit_cells(record: Record) -> tuple[str, ...]:
    """One text for each of AUDIT_COLUMNS."""
    entry = record.entry
    return (
        str(record.sequence),
        utc_text(record.time).removesuffix("Z"),
        one_line(person_text(entry.actor)),
        one_line(badge_text(entry.actor)),
        one_line(entry.act.replace("_", " ")),
        outcome_text(entry),
        one_line(patient_text(entry.patient)) if entry.patient else "",
        one_line(entry.summary),
    )


def audit_found_line(found: AuditFound) -> str:
    """How a search of the trail ended."""
    line = plural("{count} record", "{count} records", found.count) if found.count else _("No record matches.")
    return joined(line, _("There are more: narrow the search.") if found.more else "", unread_line(found))


def unread_line(found: AuditFound) -> str:
    """Which archived months were not looked into, and why; empty when all were."""
    if not found.unread:
        return ""
    return one_line(_("NOT looked into: {what}").format(what="; ".join(found.unread)), LONGEST)


def audit_arriving_line(count: int) -> str:
    """How many have come so far."""
    return plural("{count} record so far…", "{count} records so far…", count)


def day_title(person: str, day: date) -> str:
    """Whose day, and which."""
    return joined(one_line(person), one_line(listing.day_heading(day)))


def day_rows(records: Iterable[Record]) -> tuple[tuple[tuple[str, ...], ...], str]:
    """The rows of a day under DAY_COLUMNS, and its sum in a sentence; records come oldest first."""
    found = stays(records)
    return tuple(cells for stay in found for cells in listing.stay_rows(stay)), one_line(listing.day_sum(found))


def may_see_audit(session: SessionOpened) -> bool:
    """Whether the audit trail is shown to this person."""
    return Permission.SEE_AUDIT in session.permissions


def may_query(session: SessionOpened) -> bool:
    """Whether the archive may be asked by this person."""
    return Permission.QUERY in session.permissions


def person_of(record: Record) -> str:
    """The user ID to ask a day for; empty for the machine itself."""
    actor = record.entry.actor
    return "" if actor.kind == "system" and not actor.user_name else actor.user_id
