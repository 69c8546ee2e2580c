"""What a person types into the query form, read as a StudyQuery."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from kiosk.imaging.studies.model import StudyQuery
from kiosk.views.text import one_line
from kiosk.views.words import _

DATE_CHOICES = ("any", "today", "7 days", "30 days")
_DAYS = re.compile(r"(\d{1,4})\s*(?:d|days?)", re.ASCII)
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
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
    Patient ID and accession number match whole unless they hold * or ?. Blanks, commas or slashes part modalities.
    """
    days = date_range(form.study_date, today)
    if isinstance(days, FormFault):
        return days
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
    )
