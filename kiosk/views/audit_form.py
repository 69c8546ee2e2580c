"""What a person asks of the record, as they typed it, read as a Selection."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo

from kiosk.audit import Outcome, Selection
from kiosk.views.query import FormFault, date_range
from kiosk.views.text import one_line
from kiosk.views.words import _

OUTCOMES = {
    "success": Outcome.SUCCESS,
    "minor": Outcome.MINOR,
    "serious": Outcome.SERIOUS,
    "major": Outcome.MAJOR,
}
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class AuditForm:
    """The fields as typed. `day` is a day or a range of days; `since` and `until` are days or times."""

    person: str = ""
    badge: str = ""
    patient: str = ""
    issuer: str = ""
    study: str = ""
    act: str = ""
    outcome: str = ""
    day: str = ""
    since: str = ""
    until: str = ""


def selection_of(form: AuditForm, today: date, zone: tzinfo | None = None) -> Selection | FormFault:
    """The selection, or the field that cannot be read. Days are those of `zone`, by default of this machine.

    A day given as `until` belongs to the selection whole.
    """
    outcome = _outcome(form.outcome)
    if isinstance(outcome, FormFault):
        return outcome
    days = date_range(form.day, today)
    if isinstance(days, FormFault):
        return replace(days, field="day")
    since = None if days.first is None else _midnight(days.first, zone)
    until = None if days.last is None else _midnight(days.last + ONE_DAY, zone)
    try:
        since = _moment(form.since, zone, timedelta(0)) or since
        until = _moment(form.until, zone, ONE_DAY) or until
    except ValueError:
        return FormFault("since", _("This time is not understood. Try 2026-01-31 or 2026-01-31T14:05"))
    if since is not None and until is not None and since >= until:
        return FormFault("until", _("The time ends before it begins."))
    if form.issuer.strip() and not form.patient.strip():
        return FormFault("issuer", _("An issuer says whose patient ID it is: give the patient ID too."))
    return Selection(
        person=one_line(form.person),
        badge=one_line(form.badge),
        patient_id=one_line(form.patient),
        issuer=one_line(form.issuer),
        study=one_line(form.study),
        act=one_line(form.act).casefold().replace(" ", "_"),
        outcome=outcome,
        since=since,
        until=until,
    )


def one_day(form: AuditForm, today: date) -> date | None:
    """The day of a form that names exactly one."""
    days = date_range(form.day, today)
    if isinstance(days, FormFault) or days.first is None or days.first != days.last:
        return None
    return days.first


def _outcome(text: str) -> Outcome | FormFault | None:
    word = one_line(text).casefold()
    if not word:
        return None
    number = next((outcome for outcome in Outcome if word == str(int(outcome))), None)
    found = OUTCOMES.get(word, number)
    if found is None:
        return FormFault("outcome", _("Outcomes are success, minor, serious and major, or 0, 4, 8 and 12."))
    return found


def _moment(text: str, zone: tzinfo | None, of_a_day: timedelta) -> datetime | None:
    """A time with a zone; a day stands for its beginning and `of_a_day`. Raises ValueError."""
    typed = one_line(text)
    if not typed:
        return None
    if len(typed) <= len("2026-01-31"):
        return _midnight(date.fromisoformat(typed) + of_a_day, zone)
    moment = datetime.fromisoformat(typed)
    if moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=zone) if zone else moment.astimezone()


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    there = datetime.combine(day, time.min, tzinfo=zone)
    return there if zone else there.astimezone()
