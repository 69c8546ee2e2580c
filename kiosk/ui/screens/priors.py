"""The other studies of a patient, newest first, beside the one that is open."""

from collections.abc import Callable
from threading import Event
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from kiosk.errors import KioskError
from kiosk.imaging.studies.model import Study, StudyQuery
from kiosk.imaging.studies.priors import Priors, priors_of
from kiosk.ui.acts import in_thread, relay
from kiosk.ui.messages import ActFailed, QueryEnded, StudyArrived
from kiosk.ui.screens.base import CSSPathType, SessionScreen
from kiosk.ui.widgets.patient_banner import PatientBanner
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.row_table import RowTable
from kiosk.ui.widgets.transfer_bar import TransferBar
from kiosk.views.priors import PRIOR_COLUMNS, prior_cells, priors_line, priors_query
from kiosk.views.refusals import refusal
from kiosk.views.studies import study_line
from kiosk.views.text import joined
from kiosk.views.words import _


class PriorsScreen(SessionScreen):
    """Asking for them is a query like any other, on record. Enter opens one on top of the study it is compared with."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["base.tcss", "priors.tcss"]
    AUTO_FOCUS = "#priors"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", _("Back"), id="back"),
        Binding("b", "back", _("Back"), show=False, id="priors-close"),
    ]

    def __init__(self, study: Study, opens: Callable[[Study], Screen[None]]) -> None:
        super().__init__()
        self._study = study
        self._opens = opens
        self._found: list[Study] = []
        self._rows: dict[str, Study] = {}

    def body(self) -> ComposeResult:
        """Patient, the open study, the others."""
        yield PatientBanner(self._study.patient)
        yield PlainText(joined(_("Open:"), study_line(self._study)), id="study", classes="status")
        yield PlainText(_("Asking the archive…"), id="state", classes="status -busy")
        yield RowTable(PRIOR_COLUMNS, id="priors")

    def on_mount(self) -> None:
        """Asks the archives."""
        query = priors_query(self._study)
        if isinstance(query, str):
            self._say(query, "-failed")
            return
        self._query(self.app.session_id, query, self.app.tickets.fresh("priors"))

    @in_thread("priors")
    def _query(self, session_id: str, query: StudyQuery, ticket: Event) -> None:
        stream = self.app.operations.query(session_id, query, ticket)
        try:
            found = relay(stream, lambda study: self.post_message(StudyArrived(study, ticket)))
        except KioskError as error:
            self.post_message(ActFailed("priors", refusal(error), ticket))
        else:
            self.post_message(QueryEnded(found, ticket))

    @on(StudyArrived)
    def keep(self, message: StudyArrived) -> None:
        """One more answer."""
        if not message.is_stale:
            self._found.append(message.study)
            self._show()

    @on(QueryEnded)
    def finish(self, message: QueryEnded) -> None:
        """All answers are here."""
        if not message.is_stale:
            self.app.tickets.done("priors", message.ticket)
            self._say(priors_line(self._show(), message.found))

    @on(ActFailed)
    def fail(self, message: ActFailed) -> None:
        """Says why there are no more."""
        if not message.is_stale:
            self.app.tickets.done("priors", message.ticket)
            self._say(message.sentence, "-failed")

    def _show(self) -> Priors:
        priors = priors_of(self._study, self._found)
        self._rows = {study.study_instance_uid: study for study in (*priors.later, *priors.earlier)}
        self.query_one("#priors", RowTable).show(
            list(self._rows), lambda key: prior_cells(self._rows[key], self._study)
        )
        return priors

    def _say(self, sentence: str, tone: str = "") -> None:
        state = self.query_one("#state", PlainText)
        state.set_class(tone == "-failed", "-failed")
        state.set_class(False, "-busy")
        state.show(sentence)

    @on(RowTable.Opened, "#priors")
    def open_prior(self, message: RowTable.Opened) -> None:
        """Opens it; Escape leads back here."""
        study = self._rows.get(message.key or "")
        if study is not None:
            self.app.push_screen(self._opens(study))

    @on(TransferBar.Left)
    def back_to_rows(self) -> None:
        """The transfer bar gives the focus back."""
        self.query_one("#priors", RowTable).focus()

    def action_back(self) -> None:
        """Back to the study."""
        self.app.tickets.cancel("priors")
        self.dismiss()
