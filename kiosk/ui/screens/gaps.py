"""The gap report of an opened series: what was found against what was expected, and where each slice lies."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from kiosk.imaging.studies.model import SeriesContents, Study
from kiosk.ui.screens.base import CSSPathType, SessionScreen
from kiosk.ui.widgets.patient_banner import PatientBanner
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.views.gaps import report_lines
from kiosk.views.instances import rule_line
from kiosk.views.series import series_line
from kiosk.views.text import joined
from kiosk.views.words import _

MARGINS = 6


class GapsScreen(SessionScreen):
    """Words, then a strip of every stack; it scrolls."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["base.tcss", "gaps.tcss"]
    AUTO_FOCUS = "#report-scroll"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", _("Back"), id="back"),
        Binding("g", "back", _("Back"), show=False, id="gaps-close"),
    ]

    def __init__(self, study: Study, contents: SeriesContents) -> None:
        super().__init__()
        self._study = study
        self._contents = contents

    def body(self) -> ComposeResult:
        """Patient, series, report."""
        yield PatientBanner(self._study.patient)
        yield PlainText(joined(series_line(self._contents.series), rule_line(self._contents)), classes="status")
        with VerticalScroll(id="report-scroll"):
            yield PlainText(id="report")

    def on_resize(self) -> None:
        """The strips are as long as there is room for."""
        lines = report_lines(self._contents, self.size.width - MARGINS)
        self.query_one("#report", PlainText).show("\n".join(lines))

    def action_back(self) -> None:
        """Back to the study."""
        self.dismiss()
