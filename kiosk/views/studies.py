"""Studies as rows of a table, and the order they stand in."""

from collections.abc import Iterable
from datetime import time

from kiosk.imaging.calls import Found
from kiosk.imaging.studies.model import Study
from kiosk.views.columns import Column, SortKey, SortOrder, ordered
from kiosk.views.dates import date_text, time_text
from kiosk.views.names import short_name
from kiosk.views.patient import identifier_text
from kiosk.views.quantities import count_text
from kiosk.views.text import joined, one_line
from kiosk.views.words import _, plural

STUDY_COLUMNS = (
    Column("date", _("Date"), 10),
    Column("time", _("Time"), 5),
    Column("name", _("Patient"), 20, weight=5),
    Column("id", _("Patient ID"), 13, weight=3),
    Column("modality", _("Mod."), 6),
    Column("description", _("Description"), 14, weight=4),
    Column("accession", _("Accession"), 9, weight=1),
    Column("counts", _("Ser/Inst"), 8, right=True),
)
NEWEST_FIRST = SortOrder("date", descending=True)
FIRST_DESCENDING = frozenset({"date", "time", "counts"})

_SORT_KEYS: dict[str, SortKey[Study]] = {
    "date": lambda study: None if study.study_date is None else (study.study_date, study.study_time or time.min),
    "time": lambda study: study.study_time,
    "name": lambda study: short_name(study.patient.name).casefold(),
    "id": lambda study: identifier_text(study.patient).casefold(),
    "modality": lambda study: modalities_text(study) or None,
    "description": lambda study: one_line(study.description).casefold() or None,
    "accession": lambda study: one_line(study.accession_number).casefold() or None,
    "counts": lambda study: (
        None
        if study.series_count is None
        else (study.series_count, -1 if study.instance_count is None else study.instance_count)
    ),
}


def modalities_text(study: Study) -> str:
    """Modalities in Study (0008,0061), with a slash between them."""
    return "/".join(one_line(modality) for modality in study.modalities)


def study_cells(study: Study) -> tuple[str, ...]:
    """One text for each of STUDY_COLUMNS."""
    return (
        date_text(study.study_date),
        time_text(study.study_time),
        short_name(study.patient.name),
        identifier_text(study.patient),
        modalities_text(study),
        one_line(study.description),
        accession_text(study),
        counts_text(study),
    )


def accession_text(study: Study) -> str:
    """The accession number with its issuer, where one is known: "A123 (RIS)"."""
    number, issuer = one_line(study.accession_number), one_line(study.accession_issuer)
    return f"{number} ({issuer})" if number and issuer else number


def counts_text(study: Study) -> str:
    """Series and instances; "?" where they are unknown, "≈" before what was counted here and not by the archive."""
    mark = "≈" if study.counted else ""
    return f"{mark}{count_text(study.series_count)}/{count_text(study.instance_count)}"


def in_order(studies: Iterable[Study], order: SortOrder) -> list[Study]:
    """The studies by one of STUDY_COLUMNS."""
    return ordered(studies, _SORT_KEYS[order.column], order.descending)


def study_line(study: Study) -> str:
    """What the study is, without its patient: date, modality, description, accession number."""
    return joined(
        date_text(study.study_date),
        time_text(study.study_time),
        modalities_text(study),
        one_line(study.description) or _("(no description)"),
        _("accession {number}").format(number=accession_text(study)) if study.accession_number else "",
        " + ".join(one_line(archive) for archive in study.archives),
        _("counted here") if study.counted else "",
    )


def arriving_line(count: int) -> str:
    """How many have come so far."""
    return plural("{count} study so far…", "{count} studies so far…", count)


def found_line(found: Found) -> str:
    """How a query ended."""
    line = plural("{count} study", "{count} studies", found.count) if found.count else _("No study matches.")
    more = _("There are more: ask for more, or narrow the query.") if found.more else ""
    return joined(line, more, *(one_line(note) for note in found.notes))
