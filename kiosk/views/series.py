"""Series as rows of a table."""

from kiosk.imaging.studies.model import Series
from kiosk.views.columns import Column
from kiosk.views.quantities import count_text
from kiosk.views.text import joined, one_line
from kiosk.views.words import _

SERIES_COLUMNS = (
    Column("number", _("No."), 5, right=True),
    Column("modality", _("Mod."), 5),
    Column("description", _("Description"), 14, weight=3),
    Column("body_part", _("Body part"), 9, weight=1),
    Column("instances", _("Inst."), 6, right=True),
)


def series_cells(series: Series) -> tuple[str, ...]:
    """One text for each of SERIES_COLUMNS."""
    return (
        count_text(series.number),
        one_line(series.modality),
        one_line(series.description),
        one_line(series.body_part),
        count_text(series.instance_count),
    )


def series_line(series: Series) -> str:
    """The series in one line."""
    number = _("series {number}").format(number=count_text(series.number))
    return joined(number, one_line(series.modality), one_line(series.description))
