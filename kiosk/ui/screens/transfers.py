"""Every push of this session, and what went wrong with it."""

from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kiosk.operations.facts import TransferProgress
from kiosk.ui.screens.base import CSSPathType, SessionScreen
from kiosk.ui.widgets.patient_banner import PatientBanner
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.row_table import RowTable
from kiosk.ui.widgets.transfer_bar import TransferBar
from kiosk.views.transfers import (
    FAILURE_COLUMNS,
    TRANSFER_COLUMNS,
    failure_cells,
    may_cancel,
    may_retry,
    transfer_cells,
    transfer_line,
)
from kiosk.views.words import _, plural


class TransfersScreen(SessionScreen):
    """Transfers above, the instances that the destination did not take below; x and r act on the highlighted one."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["base.tcss", "transfers.tcss"]
    AUTO_FOCUS = "#transfers"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", _("Back"), id="back"),
        Binding("x", "cancel_transfer", _("Stop"), id="cancel-transfer"),
        Binding("f8", "back", _("Back"), show=False, id="transfers"),
        Binding("r", "retry_transfer", _("Retry"), id="retry-transfer"),
    ]

    def body(self) -> ComposeResult:
        """Transfers, the highlighted one's patient, its failures."""
        yield PlainText(id="state", classes="status")
        yield RowTable(TRANSFER_COLUMNS, id="transfers", openable=False)
        yield PatientBanner()
        yield PlainText(id="said", classes="status")
        yield RowTable(FAILURE_COLUMNS, id="failures", openable=False)

    def on_mount(self) -> None:
        """Follows the app's transfers."""
        self.watch(self.app, "transfers", self._show)

    def _show(self, transfers: tuple[TransferProgress, ...]) -> None:
        self.query_one("#state", PlainText).show(
            plural("{count} transfer of this session", "{count} transfers of this session", len(transfers))
        )
        self.query_one("#transfers", RowTable).show([transfer.job_id for transfer in transfers], self._cells)
        self._show_details()

    @property
    def chosen(self) -> TransferProgress | None:
        """The transfer under the cursor."""
        return self._find(self.query_one("#transfers", RowTable).cursor_key or "")

    def _find(self, job_id: str) -> TransferProgress | None:
        return next((transfer for transfer in self.app.transfers if transfer.job_id == job_id), None)

    def _cells(self, job_id: str) -> tuple[str, ...]:
        transfer = self._find(job_id)
        return () if transfer is None else transfer_cells(transfer)

    @on(RowTable.Highlighted, "#transfers")
    def _show_details(self) -> None:
        chosen = self.chosen
        failures = {} if chosen is None else {failure.sop_instance_uid: failure for failure in chosen.failures}
        self.query_one(PatientBanner).show(None if chosen is None else chosen.patient)
        self.query_one("#said", PlainText).show("" if chosen is None else transfer_line(chosen))
        self.query_one("#failures", RowTable).show(list(failures), lambda key: failure_cells(failures[key]))

    def action_cancel_transfer(self) -> None:
        """Stops the highlighted transfer."""
        chosen = self.chosen
        if chosen is not None and may_cancel(chosen):
            self.app.courier.send(partial(self.app.operations.cancel_push, self.app.session_id, chosen.job_id))

    def action_retry_transfer(self) -> None:
        """Sends again what the highlighted transfer could not."""
        chosen = self.chosen
        if chosen is not None and may_retry(chosen):
            self.app.courier.send(partial(self.app.operations.retry_push, self.app.session_id, chosen.job_id))

    def action_back(self) -> None:
        """To where the person came from."""
        self.dismiss()

    @on(TransferBar.Left)
    def back_to_rows(self) -> None:
        """The transfer bar gives the focus back."""
        self.query_one("#transfers", RowTable).focus()
