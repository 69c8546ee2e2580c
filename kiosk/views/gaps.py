"""The gap report of a series: in words, and as a strip on which each slice has its place."""

from collections.abc import Iterable
from typing import Final

from kiosk.imaging.studies.gaps import GapReport, StackPlaces
from kiosk.imaging.studies.model import SeriesContents
from kiosk.views.text import joined, one_line
from kiosk.views.words import _, plural

SLICE: Final = "│"
SOME: Final = "┃"
DOUBLE: Final = "█"
MISSING: Final = "×"
NOTHING: Final = " "
_STRIP_LEAST: Final = 10
_SPREAD: Final = 3
_MOST_STRIPS: Final = 24


def report_lines(contents: SeriesContents, width: int) -> tuple[str, ...]:
    """The whole report: what was found against what was expected, each finding, each stack with its strip."""
    report = contents.gaps
    if report is None:
        return (_("Nothing is known yet of the order of this series."),)
    found = plural("{count} instance is here.", "{count} instances are here.", report.found)
    if report.expected is None:
        expected = _("The archive does not say how many it has.")
    else:
        expected = plural("The archive counts {count}.", "The archive counts {count}.", report.expected)
    lines = [joined(found, expected), *(f"• {one_line(finding.sentence)}" for finding in report.findings)]
    if not report.findings:
        lines.append(_("Nothing odd was found among them. More may still arrive at the archive."))
    for places in shown_stacks(report):
        lines.extend(("", stack_line(places), strip(places, width)))
    more = len(report.stacks) - _MOST_STRIPS
    if more > 0:
        lines.extend(("", plural("and {count} more stack", "and {count} more stacks", more)))
    return (*lines, *legend(report))


def shown_stacks(report: GapReport) -> tuple[StackPlaces, ...]:
    """Those that a strip can show, as many as anybody looks at."""
    return report.stacks[:_MOST_STRIPS]


def stack_line(places: StackPlaces) -> str:
    """One stack in words: how many slices from where to where, how far apart."""
    slices = plural("{count} position", "{count} positions", len(places.positions))
    first, last = places.positions[0], places.positions[-1]
    span = "" if len(places.positions) < 2 else _("{first:.1f} to {last:.1f} mm").format(first=first, last=last)
    apart = "" if places.spacing is None else _("{spacing:.2f} mm apart").format(spacing=places.spacing)
    missing = plural("{count} missing", "{count} missing", len(places.missing)) if places.missing else ""
    return joined(one_line(places.label), slices, span, apart, missing)


def strip(places: StackPlaces, width: int) -> str:
    """The stack from its first to its last position on so many cells: a stroke where slices lie, a cross where one
    seems to be missing, a block where more than one lies at a position that has one elsewhere."""
    width = max(width, _STRIP_LEAST)
    positions = places.positions
    if not positions:
        return ""
    span = positions[-1] - positions[0]
    steps = round(span / places.spacing) if places.spacing else 0
    used = 1
    if 0 < steps < width:
        used = steps * min(_SPREAD, (width - 1) // steps) + 1
    elif steps:
        used = width

    def cells(values: Iterable[float]) -> list[int]:
        return [round((value - positions[0]) / span * (used - 1)) if span else 0 for value in values]

    usual = min(places.counts)
    line = [NOTHING] * used
    for cell, count in zip(cells(positions), places.counts, strict=True):
        if count > usual or line[cell] == DOUBLE:
            line[cell] = DOUBLE
        else:
            line[cell] = SOME if line[cell] in (SLICE, SOME) else SLICE
    for cell in cells(places.missing):
        line[cell] = MISSING
    return "".join(line)


def legend(report: GapReport) -> tuple[str, ...]:
    """What the marks on the strips mean, only those that are there to be seen."""
    if not report.stacks:
        return ()
    marks = [_("{mark} slice").format(mark=SLICE)]
    shown = "".join(strip(places, 1000) for places in shown_stacks(report))
    if MISSING in shown:
        marks.append(_("{mark} missing").format(mark=MISSING))
    if DOUBLE in shown:
        marks.append(_("{mark} more than elsewhere").format(mark=DOUBLE))
    return ("", joined(*marks))


def first_strip(contents: SeriesContents, width: int) -> str:
    """The strip of the first stack of which something is to be seen; empty when all is as it should be."""
    report = contents.gaps
    if report is None:
        return ""
    odd = (places for places in report.stacks if places.missing or len(set(places.counts)) > 1)
    places = next(odd, None)
    return "" if places is None else strip(places, width)
