"""Whose images these are."""

from textual.app import ComposeResult
from textual.containers import Vertical

from kiosk.imaging.studies.model import Patient
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.views.patient import patient_banner


class PatientBanner(Vertical):
    """Name in every group that is there; birth date, ID with its issuer, sex. Its place stays empty for nobody."""

    DEFAULT_CSS = """
    PatientBanner {
        height: 2;
        background: $raised;
        border-left: outer $accent;
        padding: 0 1;
        PlainText { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #patient-name { text-style: bold; color: $foreground; }
        #patient-details { color: $foreground; }
        &.-nobody { visibility: hidden; }
    }
    """

    def __init__(self, patient: Patient | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self._patient = patient

    def compose(self) -> ComposeResult:
        """Two lines."""
        yield PlainText(id="patient-name")
        yield PlainText(id="patient-details")

    def on_mount(self) -> None:
        """Shows the patient it was made for."""
        self.show(self._patient)

    def show(self, patient: Patient | None) -> None:
        """Shows this patient, or nobody."""
        self._patient = patient
        self.set_class(patient is None, "-nobody")
        name, details = "", ""
        if patient is not None:
            banner = patient_banner(patient)
            name, details = banner.name, banner.details
        self.query_one("#patient-name", PlainText).show(name, layout=False)
        self.query_one("#patient-details", PlainText).show(details, layout=False)
