"""What a person types into the query form, read as a StudyQuery."""

import re
from dataclasses import dataclass, replace
from datetime import date, time, timedelta

from kiosk.imaging.studies.model import StudyQuery
from kiosk.views.text import one_line
from kiosk.views.words import _

DATE_CHOICES = ("any", "today", "7 days", "30 days")
_DAYS = re.compile(r"(\d{1,4})\s*(?:d|days?)", re.ASCII)
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_TIME = re.compile(r"(\d{1,2})(?::?(\d{2}))?", re.ASCII)
_DICOM = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)


@dataclass(frozen=True)
class QueryForm:
    """The fields as typed."""

    patient_name: str = ""
    patient_id: str = ""
    accession_number: str = ""
    study_date: str = ""
    modality: str = ""
    description: str = ""
    issuer: str = ""
    referring_physician: str = ""
    study_time: str = ""
    study_id: str = ""
    accession_issuer: str = ""
    study_uids: str = ""


@dataclass(frozen=True)
class FormFault:
    """A field that cannot be read, and what would do."""

    field: str
    sentence: str


@dataclass(frozen=True)
class DateRange:
    """Both ends belong to it; None is open."""

    first: date | None = None
    last: date | None = None


def _day(text: str, today: date) -> date | None:
    if text in ("today", _("today")):
        return today
    if text in ("yesterday", _("yesterday")):
        return today - timedelta(days=1)
    match = _ISO.fullmatch(text) or _DICOM.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return date(int(match[1]), int(match[2]), int(match[3]))


def _split(text: str) -> tuple[str, str] | None:
    if ".." in text:
        first, _dots, last = text.partition("..")
        return first.strip(), last.strip()
    first, dash, last = text.partition("-")
    if dash and (not first or _DICOM.fullmatch(first.strip())):
        return first.strip(), last.strip()
    return None


def date_range(text: str, today: date) -> DateRange | FormFault:
    """Reads "any", "today", "7 days", a date, or a range with ".." or DICOM's "-", either end open."""
    typed = one_line(text).casefold()
    if typed in ("", "any", _("any")):
        return DateRange()
    if days := _DAYS.fullmatch(typed):
        return DateRange(today - timedelta(days=int(days[1])), today)
    try:
        ends = _split(typed)
        if ends is None:
            day = _day(typed, today)
            return DateRange(day, day)
        if ends == ("", ""):
            raise ValueError(typed)
        first, last = (_day(end, today) if end else None for end in ends)
    except ValueError:
        return FormFault(
            "study_date",
            _("This date is not understood. Try: today, 7 days, 2026-01-31 or 2026-01-01..2026-02-01"),
        )
    if first is not None and last is not None and first > last:
        return FormFault("study_date", _("The range ends before it begins."))
    return DateRange(first, last)


@dataclass(frozen=True)
class TimeRange:
    """Both ends belong to it; None is open."""

    first: time | None = None
    last: time | None = None


def time_range(text: str) -> TimeRange | FormFault:
    """Reads "any" or a range of times of day such as "08:00-12:30" or "22-", either end open; an hour is whole."""
    typed = one_line(text).casefold()
    if typed in ("", "any", _("any")):
        return TimeRange()
    first, dash, last = (typed.replace("..", "-", 1)).partition("-")
    ends = [first.strip(), last.strip() if dash else first.strip()]
    matches = [_TIME.fullmatch(end) for end in ends]
    try:
        if not any(ends) or any(end and match is None for end, match in zip(ends, matches, strict=True)):
            raise ValueError(typed)
        begin = time(int(matches[0][1]), int(matches[0][2] or 0)) if matches[0] else None
        # A minute or an hour that is the end of a range belongs to it.
        end = time(int(matches[1][1]), int(matches[1][2] or 59), 59) if matches[1] else None
    except ValueError:
        return FormFault("study_time", _("This time is not understood. Try: 08:00-12:30, 22- or 14"))
    if begin is not None and end is not None and begin > end:
        return FormFault("study_time", _("The range ends before it begins."))
    return TimeRange(begin, end)


def _has_wildcard(text: str) -> bool:
    return "*" in text or "?" in text


def _name_key(text: str) -> str:
    family, comma, given = text.partition(",")
    name = f"{family.strip()}^{given.strip()}" if comma else text
    return name if not name or _has_wildcard(name) else f"{name}*"


def _inside(text: str) -> str:
    return text if not text or _has_wildcard(text) else f"*{text}*"


def study_query(form: QueryForm, today: date) -> StudyQuery | FormFault:
    """The query, or the field that cannot be read.

    A name without wildcards matches as a beginning ("Doe, J" is read as "Doe^J*"), a description as a part.
    IDs, issuers and accession number match whole unless they hold * or ?. Blanks, commas or slashes part modalities and
    UIDs.
    """
    days, times = date_range(form.study_date, today), time_range(form.study_time)
    if isinstance(days, FormFault):
        return days
    if isinstance(times, FormFault):
        return times
    uids = tuple(dict.fromkeys(re.findall(r"[^\s,;/\\]+", one_line(form.study_uids))))
    if any(re.fullmatch(r"[0-9.]{1,64}", uid) is None for uid in uids):
        return FormFault("study_uids", _("A Study Instance UID is digits and points, at most 64 of them."))
    modalities = tuple(dict.fromkeys(re.findall(r"[^\s,;/\\]+", one_line(form.modality).upper())))
    for modality in modalities:
        if re.fullmatch(r"[A-Z0-9_]{1,16}", modality) is None:
            return FormFault("modality", _("A modality is a short code such as CT, MR or US."))
    return StudyQuery(
        patient_name=_name_key(one_line(form.patient_name)),
        patient_id=one_line(form.patient_id),
        accession_number=one_line(form.accession_number),
        date_from=days.first,
        date_to=days.last,
        modalities=modalities,
        description=_inside(one_line(form.description)),
        issuer=one_line(form.issuer),
        accession_issuer=one_line(form.accession_issuer),
        study_instance_uids=uids,
        referring_physician=_name_key(one_line(form.referring_physician)),
        study_id=one_line(form.study_id),
        time_from=times.first,
        time_to=times.last,
    )


def next_page(query: StudyQuery) -> StudyQuery:
    """The same query for one page more: archives cannot be asked to go on where they were stopped (PS3.4 C.4.1)."""
    return replace(query, pages=query.pages + 1)
