"""What the commands do: operations in, printed lines out."""

from collections.abc import Iterable, Sequence
from datetime import date
from threading import Event

from kiosk.imaging.calls import Found
from kiosk.imaging.studies.model import Instance, Study, StudyQuery
from kiosk.operations.operations import Operations
from kiosk.plain.console import Console
from kiosk.plain.desk import Desk
from kiosk.views.instances import INSTANCE_COLUMNS, instance_cells, order_line, received_line
from kiosk.views.patient import patient_line
from kiosk.views.push import destination_cells
from kiosk.views.query import FormFault, QueryForm, next_page, study_query
from kiosk.views.series import series_cells, series_line
from kiosk.views.studies import found_line, in_order, study_cells, study_line
from kiosk.views.tags import matching, tag_cells
from kiosk.views.text import joined
from kiosk.views.transfers import failures_line, transfer_line, transfer_subject
from kiosk.views.words import _


def row(number: int, cells: Iterable[str], is_selected: bool = False) -> str:
    """A numbered line; a screen reader hears the cells with commas between them."""
    mark = _("selected, ") if is_selected else ""
    return f"{number}. {mark}{', '.join(cell for cell in cells if cell)}"


class Acts:
    """Each method runs in a thread of its own and may raise KioskError."""

    def __init__(self, operations: Operations, console: Console) -> None:
        self._operations = operations
        self._console = console

    def query(self, desk: Desk, form: QueryForm, today: date, cancel: Event) -> None:
        """Asks the archives and lists what came."""
        query: StudyQuery | FormFault = study_query(form, today)
        if isinstance(query, FormFault):
            self._console.say(query.sentence, unless=desk.closed)
        else:
            self._query(desk, query, cancel)

    def more(self, desk: Desk, cancel: Event) -> None:
        """The last query once more, for one page more."""
        if desk.query is None:
            self._console.say(_("There is no query to go on with."), unless=desk.closed)
        else:
            self._query(desk, next_page(desk.query), cancel)

    def _query(self, desk: Desk, query: StudyQuery, cancel: Event) -> None:
        desk.studies, desk.study, desk.series, desk.contents = [], None, [], None
        desk.selected_studies.clear()
        self._console.say(_("Asking the archive…"), unless=desk.closed)
        stream = self._operations.query(desk.session.session_id, query, cancel)
        found: Found | None = None
        rows: dict[str, Study] = {}
        try:
            while found is None:
                try:
                    study = next(stream)
                    rows[study.study_instance_uid] = study
                except StopIteration as end:
                    found = end.value
        finally:
            desk.studies, desk.query = list(rows.values()), query
        self.list_studies(desk)
        self._console.say(found_line(found), unless=desk.closed)

    def list_studies(self, desk: Desk) -> None:
        """The studies found, in the chosen order."""
        desk.studies = in_order(desk.studies, desk.order)
        for number, study in enumerate(desk.studies, start=1):
            chosen = study.study_instance_uid in desk.selected_studies
            self._console.say(row(number, study_cells(study), chosen), unless=desk.closed)

    def open_study(self, desk: Desk, number: int, cancel: Event) -> None:
        """Lists the series of study `number`."""
        study = desk.studies[number - 1]
        stream = self._operations.open_study(desk.session.session_id, study, cancel)
        while True:
            try:
                next(stream)
            except StopIteration as end:
                opened = end.value
                break
        desk.study, desk.series, desk.contents = study, list(opened.series), None
        desk.selected_series.clear()
        self._console.say(patient_line(study.patient), study_line(study), *opened.notes, unless=desk.closed)
        self.list_series(desk)

    def list_series(self, desk: Desk) -> None:
        """The series of the open study."""
        for number, series in enumerate(desk.series, start=1):
            chosen = series.series_instance_uid in desk.selected_series
            self._console.say(row(number, series_cells(series), chosen), unless=desk.closed)

    def open_series(self, desk: Desk, number: int, cancel: Event) -> None:
        """Retrieves series `number` and lists its instances."""
        study = desk.study
        if study is None:
            return
        series = desk.series[number - 1]
        self._console.say(_("Retrieving {series}…").format(series=series_line(series)), unless=desk.closed)
        stream = self._operations.open_series(desk.session.session_id, study, series, cancel)
        last = None
        while True:
            try:
                last = next(stream)
            except StopIteration as end:
                desk.contents = end.value
                break
        if last is not None:
            self._console.say(received_line(last), unless=desk.closed)
        self.list_instances(desk)

    def list_instances(self, desk: Desk) -> None:
        """The instances of the open series, in true order."""
        contents = desk.contents
        if contents is None or desk.study is None:
            self._console.say(_("No series is open."), unless=desk.closed)
            return
        self._console.say(
            patient_line(desk.study.patient), series_line(contents.series), order_line(contents), unless=desk.closed
        )
        titles = [column.title for column in INSTANCE_COLUMNS]
        for place, instance in enumerate(contents.instances, start=1):
            cells = instance_cells(instance, place)
            self._console.say(
                row(place, (f"{t} {c}" for t, c in zip(titles[1:], cells[1:], strict=True) if c)), unless=desk.closed
            )

    def tags(self, desk: Desk, number: int, words: str, cancel: Event) -> None:
        """The data elements of instance `number` that hold the words."""
        instance = self.instances(desk)[number - 1]
        if desk.study is not None:
            self._console.say(patient_line(desk.study.patient), unless=desk.closed)
        rows = list(self._operations.tags(desk.session.session_id, instance, cancel))
        for tag in matching(rows, words):
            tag_text, *texts = tag_cells(tag)
            self._console.say("  ".join((tag_text, *(text for text in texts if text))), unless=desk.closed)

    def instances(self, desk: Desk) -> Sequence[Instance]:
        """The instances of the open series; none when none is open."""
        return () if desk.contents is None else desk.contents.instances

    def destinations(self, desk: Desk) -> None:
        """Where this person may push to."""
        for number, destination in enumerate(self._operations.destinations(desk.session.session_id), start=1):
            self._console.say(row(number, destination_cells(destination)), unless=desk.closed)

    def transfers(self, desk: Desk) -> None:
        """How the pushes stand."""
        if not desk.transfers:
            self._console.say(_("Nothing was pushed in this session."), unless=desk.closed)
        for number, transfer in enumerate(desk.transfers.values(), start=1):
            self._console.say(
                row(number, (joined(transfer_subject(transfer), transfer_line(transfer)),)), unless=desk.closed
            )
            if failures := failures_line(transfer):
                self._console.say(f"  {failures}", unless=desk.closed)
