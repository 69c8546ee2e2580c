"""The other studies of a patient as rows of a table, and what is to be said of them."""

from typing import Final

from kiosk.imaging.calls import Found
from kiosk.imaging.studies.model import Study, StudyQuery
from kiosk.imaging.studies.priors import Priors
from kiosk.views.columns import Column
from kiosk.views.dates import date_text, time_text
from kiosk.views.quantities import count_text
from kiosk.views.studies import modalities_text
from kiosk.views.text import joined, one_line
from kiosk.views.words import _, plural

PRIOR_COLUMNS = (
    Column("date", _("Date"), 10),
    Column("time", _("Time"), 5),
    Column("before", _("Before this"), 13),
    Column("modalities", _("Mod."), 8),
    Column("description", _("Description"), 16, weight=3),
    Column("archive", _("Archive"), 12, weight=1),
    Column("counts", _("Ser/Inst"), 9, right=True),
)
_WILD: Final = frozenset("*?\\")
_YEAR: Final = 365.25
_MONTHS: Final = 12


def priors_query(study: Study) -> StudyQuery | str:
    """What is asked for the other studies of its patient; a sentence where nothing can be asked."""
    patient_id = study.patient.patient_id
    if not patient_id:
        return _("This study has no Patient ID: its patient's other studies cannot be asked for.")
    if _WILD & set(patient_id):
        return _("This Patient ID would match others too: it cannot be asked for.")
    return StudyQuery(patient_id=patient_id)


def prior_cells(prior: Study, study: Study) -> tuple[str, ...]:
    """One text for each of PRIOR_COLUMNS."""
    return (
        date_text(prior.study_date),
        time_text(prior.study_time),
        _before(prior, study),
        modalities_text(prior),
        one_line(prior.description),
        one_line(prior.archive),
        f"{count_text(prior.series_count)}/{count_text(prior.instance_count)}",
    )


def _before(prior: Study, study: Study) -> str:
    if prior.study_date is None or study.study_date is None:
        return "?"
    days = (study.study_date - prior.study_date).days
    if days == 0:
        return _("the same day")
    size = abs(days)
    if size < 2 * _YEAR / _MONTHS:
        span = plural("{count} day", "{count} days", size)
    elif size < 2 * _YEAR:
        span = plural("{count} month", "{count} months", round(size * _MONTHS / _YEAR))
    else:
        span = plural("{count} year", "{count} years", round(size / _YEAR))
    return span if days > 0 else _("later: {span}").format(span=span)


def priors_line(priors: Priors, found: Found) -> str:
    """How many there are, and which were left out."""
    count = len(priors.earlier) + len(priors.later)
    line = plural("{count} other study of this patient", "{count} other studies of this patient", count)
    doubtful = ""
    if priors.doubtful:
        doubtful = plural(
            "{count} study with this Patient ID is left out: its issuer is another or unknown.",
            "{count} studies with this Patient ID are left out: their issuer is another or unknown.",
            priors.doubtful,
        )
    more = _("There are more than were asked for.") if found.more else ""
    return joined(line if count else _("No other study of this patient."), doubtful, more, *map(one_line, found.notes))
