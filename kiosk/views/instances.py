"""The instances of an opened series as rows of a table, and what is to be said of their order."""

from kiosk.imaging.studies.model import Instance, SeriesContents
from kiosk.operations.operations import InstancesArrived
from kiosk.views.columns import Column
from kiosk.views.quantities import count_text, size_text
from kiosk.views.text import joined, one_line
from kiosk.views.words import _, plural

INSTANCE_COLUMNS = (
    Column("place", "#", 5, right=True),
    Column("number", _("No."), 5, right=True),
    Column("matrix", _("Matrix"), 9),
    Column("frames", _("Fr."), 4, right=True),
    Column("size", _("Size"), 7, right=True),
    Column("note", _("Kind, remarks"), 13, weight=1),
)


def instance_cells(instance: Instance, place: int) -> tuple[str, ...]:
    """One text for each of INSTANCE_COLUMNS; `place` counts from 1 in true order."""
    matrix = "" if instance.rows is None or instance.columns is None else f"{instance.columns}×{instance.rows}"
    unreadable = "" if instance.readable else _("not readable")
    return (
        str(place),
        count_text(instance.number),
        matrix,
        str(instance.frames),
        size_text(instance.size),
        joined(unreadable, one_line(instance.note), one_line(instance.sop_class_name)),
    )


def instance_line(instance: Instance, place: int, of: int) -> str:
    """Which instance this is."""
    number = _("no. {number}").format(number=count_text(instance.number))
    return joined(f"{place}/{of}", number, one_line(instance.sop_class_name), one_line(instance.note))


def rule_line(contents: SeriesContents) -> str:
    """How many there are and by which rule they stand."""
    count = plural("{count} instance", "{count} instances", len(contents.instances))
    return joined(count, _("ordered by {rule}").format(rule=_(contents.rule.value)))


def order_line(contents: SeriesContents) -> str:
    """How many there are, by which rule they stand, and what a reader should know about that and about gaps."""
    findings = () if contents.gaps is None else (finding.sentence for finding in contents.gaps.findings)
    said = dict.fromkeys((*contents.notes, *findings))
    return joined(rule_line(contents), *(one_line(note) for note in said))


def received_line(arrived: InstancesArrived) -> str:
    """How far a series has come."""
    return _("{received} of {expected} instances received…").format(
        received=arrived.received, expected=count_text(arrived.expected)
    )
