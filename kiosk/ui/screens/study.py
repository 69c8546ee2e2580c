"""One study: its series, the instances of the opened series, the picture of the selected one."""

from functools import partial
from threading import Event
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from kiosk.errors import KioskError
from kiosk.imaging.studies.geometry import Vector
from kiosk.imaging.studies.model import Instance, Series, SeriesContents, Study
from kiosk.ui.acts import in_thread, relay
from kiosk.ui.messages import (
    ActFailed,
    PictureArrived,
    SeriesArrived,
    SeriesOpened,
    SeriesProgress,
    StudyOpened,
)
from kiosk.ui.screens.base import CSSPathType, SessionScreen
from kiosk.ui.screens.gaps import GapsScreen
from kiosk.ui.screens.priors import PriorsScreen
from kiosk.ui.screens.push import PushScreen
from kiosk.ui.screens.tags import TagsScreen
from kiosk.ui.widgets.patient_banner import PatientBanner
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.preview import Preview
from kiosk.ui.widgets.row_table import RowTable
from kiosk.ui.widgets.transfer_bar import TransferBar
from kiosk.views.gaps import first_strip
from kiosk.views.instances import INSTANCE_COLUMNS, instance_cells, instance_line, order_line, received_line
from kiosk.views.points import nearest_slice, pixel_of, point_at, point_line
from kiosk.views.push import PushPlan
from kiosk.views.refusals import refusal
from kiosk.views.series import SERIES_COLUMNS, series_cells, series_line
from kiosk.views.studies import study_line
from kiosk.views.text import joined, one_line
from kiosk.views.words import _, plural

STALE_PICTURE_SECONDS = 0.6


class StudyScreen(SessionScreen):
    """Patient above, lists left, picture right. Only Enter or a click retrieves a series: it is on record."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["base.tcss", "study.tcss"]
    AUTO_FOCUS = "#series"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", _("Back"), id="back"),
        Binding("p", "push", _("Push"), id="push"),
        Binding("t", "tags", _("Tags"), id="tags"),
        Binding("g", "gaps", _("Gaps"), id="gaps"),
        Binding("b", "priors", _("Priors"), id="priors"),
        Binding("m", "mark_point", _("Mark point"), show=False, id="mark-point"),
        Binding("n", "nearest", _("Nearest slice"), show=False, id="nearest"),
        Binding("left", "frame(-1)", _("Frame −"), key_display="←", id="frame-back"),
        Binding("right", "frame(1)", _("Frame +"), key_display="→", id="frame-on"),
    ]

    def __init__(self, study: Study) -> None:
        super().__init__()
        self._study = study
        self._series: dict[str, Series] = {}
        self._contents: SeriesContents | None = None
        self._instances: dict[str, Instance] = {}
        self._places: dict[str, int] = {}
        self._shown = ""
        self._frame = 0
        self._series_said = ""
        self._point: tuple[Vector, str] | None = None
        self._frame_ahead = 0

    def body(self) -> ComposeResult:
        """Patient, study, lists, picture."""
        yield PatientBanner(self._study.patient)
        yield PlainText(study_line(self._study), id="study", classes="status")
        with Horizontal(id="columns"):
            with Vertical(id="lists"):
                yield PlainText(_("Asking the archive…"), id="series-state", classes="status -busy")
                yield RowTable(SERIES_COLUMNS, id="series", markable=True)
                yield PlainText(_("Enter opens a series."), id="instances-state", classes="status")
                yield PlainText(id="strip", classes="status")
                yield RowTable(INSTANCE_COLUMNS, id="instances", openable=False)
            yield Preview(self.app.image_mode)

    def on_mount(self) -> None:
        """Asks for the series."""
        self.query_one(Preview).say(_("Open a series to see its pictures."))
        self._open_study(self.app.session_id, self._study, self.app.tickets.fresh("study"))

    def on_screen_resume(self) -> None:
        """A study that was looked at on top of this one may have retrieved a series of its own, in place of ours."""
        super().on_screen_resume()
        if self.query_one("#instances-state", PlainText).has_class("-busy") and not self.app.tickets.is_running(
            "series"
        ):
            self._say("#instances-state", _("Cancelled."))

    @property
    def preview(self) -> Preview:
        """The picture."""
        return self.query_one(Preview)

    @in_thread("study")
    def _open_study(self, session_id: str, study: Study, ticket: Event) -> None:
        stream = self.app.operations.open_study(session_id, study, ticket)
        try:
            opened = relay(stream, lambda series: self.post_message(SeriesArrived(series, ticket)))
        except KioskError as error:
            self.post_message(ActFailed("study", refusal(error), ticket))
        else:
            self.post_message(StudyOpened(opened, ticket))

    @on(SeriesArrived)
    def keep_series(self, message: SeriesArrived) -> None:
        """A series is known; their order is told at the end."""
        if not message.is_stale:
            self._series[message.series.series_instance_uid] = message.series
            self._show_series()

    @on(StudyOpened)
    def finish_series(self, message: StudyOpened) -> None:
        """All series, in reading order."""
        if message.is_stale:
            return
        self.app.tickets.done("study", message.ticket)
        self._series = {series.series_instance_uid: series for series in message.opened.series}
        self._show_series()
        notes = (one_line(note) for note in message.opened.notes)
        self._series_said = joined(_("{count} series").format(count=len(self._series)), *notes)
        self._say_series()

    def _show_series(self) -> None:
        self.query_one("#series", RowTable).show(list(self._series), lambda key: series_cells(self._series[key]))

    @on(RowTable.Marked, "#series")
    def _say_series(self) -> None:
        marked = len(self.query_one("#series", RowTable).marks)
        chosen = plural("{count} selected", "{count} selected", marked) if marked else ""
        self._say("#series-state", joined(self._series_said, chosen))

    @on(RowTable.Opened, "#series")
    def open_series(self, message: RowTable.Opened) -> None:
        """Retrieves the series; one that was being retrieved is cancelled."""
        series = self._series.get(message.key or "")
        if series is None:
            return
        self.app.tickets.cancel("picture")
        self._show_contents(None)
        self.query_one("#instances", RowTable).clear()
        self.preview.say(_("Retrieving {series}…").format(series=series_line(series)))
        self._say("#instances-state", _("Retrieving {series}…").format(series=series_line(series)), "-busy")
        self._open_series(self.app.session_id, self._study, series, self.app.tickets.fresh("series"))

    @in_thread("series")
    def _open_series(self, session_id: str, study: Study, series: Series, ticket: Event) -> None:
        stream = self.app.operations.open_series(session_id, study, series, ticket)
        try:
            contents = relay(stream, lambda arrived: self.post_message(SeriesProgress(arrived, ticket)))
        except KioskError as error:
            self.post_message(ActFailed("series", refusal(error), ticket))
        else:
            self.post_message(SeriesOpened(contents, ticket))

    @on(SeriesProgress)
    def show_progress(self, message: SeriesProgress) -> None:
        """What is here can be looked at already."""
        if message.is_stale:
            return
        self._say("#instances-state", received_line(message.arrived), "-busy")
        if message.arrived.contents is not None:
            self._show_contents(message.arrived.contents)

    @on(SeriesOpened)
    def finish_instances(self, message: SeriesOpened) -> None:
        """Everything is here, in true order."""
        if message.is_stale:
            return
        self.app.tickets.done("series", message.ticket)
        self._show_contents(message.contents)
        self._say("#instances-state", order_line(message.contents))
        if message.contents.instances and self.query_one("#series", RowTable).has_focus:
            self.query_one("#instances", RowTable).focus()
        if not message.contents.instances:
            self.preview.say(_("This series has no instances here."))

    def _show_contents(self, contents: SeriesContents | None) -> None:
        self._contents = contents
        instances = () if contents is None else contents.instances
        self._instances = {instance.sop_instance_uid: instance for instance in instances}
        self._places = {uid: place for place, uid in enumerate(self._instances, start=1)}
        self.query_one("#instances", RowTable).show(list(self._instances), self._instance_cells)
        strip = self.query_one("#strip", PlainText)
        shown = "" if contents is None else first_strip(contents, strip.size.width or self.size.width // 2)
        strip.display = bool(shown)
        strip.show(shown)
        if self._shown in self._instances:
            self.preview.describe(self._about(self._instances[self._shown]))

    def _instance_cells(self, key: str) -> tuple[str, ...]:
        return instance_cells(self._instances[key], self._places[key])

    @property
    def instance(self) -> Instance | None:
        """The selected instance."""
        return self._instances.get(self.query_one("#instances", RowTable).cursor_key or "")

    @on(RowTable.Highlighted, "#instances")
    def select_instance(self) -> None:
        """Another instance: its first frame, unless another one is wanted."""
        self._frame, self._frame_ahead = self._frame_ahead, 0
        self._ask_picture()

    def _ask_picture(self) -> None:
        instance = self.instance
        if instance is None:
            self.app.tickets.cancel("picture")
            return
        if not instance.readable:
            self.app.tickets.cancel("picture")
            self.preview.say(joined(_("This instance cannot be shown."), one_line(instance.note)))
            return
        ticket = self.app.tickets.fresh("picture")
        width, height = self.preview.pixels()
        frame = instance.stored_frame(self._frame)
        self._picture(self.app.session_id, instance, frame, width, height, ticket)
        # The picture before it stays until the next is there, but not so long that it could be taken for it.
        self.set_timer(STALE_PICTURE_SECONDS, partial(self._still_waiting, ticket, instance))

    def _still_waiting(self, ticket: Event, instance: Instance) -> None:
        if not ticket.is_set() and self.app.tickets.is_current("picture", ticket):
            self.preview.say(_("Loading {instance}…").format(instance=self._about(instance)))

    @in_thread("picture")
    def _picture(self, session_id: str, instance: Instance, frame: int, width: int, height: int, ticket: Event) -> None:
        if ticket.is_set():
            return
        try:
            picture = self.app.operations.picture(session_id, instance, frame, width, height, ticket)
        except KioskError as error:
            self.post_message(ActFailed("picture", refusal(error), ticket))
        else:
            self.post_message(PictureArrived(picture, instance, ticket))

    @on(PictureArrived)
    def show_picture(self, message: PictureArrived) -> None:
        """Draws it, and says of which instance it is."""
        if not message.is_stale:
            self.app.tickets.done("picture", message.ticket)
            self._shown = message.instance.sop_instance_uid
            self.preview.show(message.picture, self._about(message.instance))

    def _about(self, instance: Instance) -> str:
        return instance_line(instance, self._places.get(instance.sop_instance_uid, 0), len(self._instances))

    @on(ActFailed)
    def fail(self, message: ActFailed) -> None:
        """Says in its own place what did not work."""
        if message.is_stale:
            return
        self.app.tickets.done(message.act, message.ticket)
        if message.act == "picture":
            self.preview.say(message.sentence)
        elif message.act == "series":
            self._say("#instances-state", message.sentence, "-failed")
            if self.preview.picture is None:
                self.preview.say(message.sentence)
        else:
            self._series_said = message.sentence
            self._say("#series-state", message.sentence, "-failed")

    def _say(self, selector: str, sentence: str, tone: str = "") -> None:
        state = self.query_one(selector, PlainText)
        state.set_class(tone == "-failed", "-failed")
        state.set_class(tone == "-busy", "-busy")
        state.show(sentence)

    def action_frame(self, step: int) -> None:
        """The next or the previous frame of the selected instance, round and round."""
        instance = self.instance
        if instance is not None and instance.frames > 1:
            self._frame = (self._frame + step) % instance.frames
            self._ask_picture()

    @on(Preview.Pointed)
    def mark_clicked(self, message: Preview.Pointed) -> None:
        """A click on the picture marks that point of the patient."""
        self._mark(message.x, message.y)

    def action_mark_point(self) -> None:
        """Marks the point of the patient in the middle of the picture."""
        self._mark(0.5, 0.5)

    def _mark(self, x: float, y: float) -> None:
        instance, picture = self.instance, self.preview.picture
        if instance is None or picture is None or instance.sop_instance_uid != self._shown:
            return
        point = point_at(instance, self._frame, *pixel_of(instance, picture, x, y))
        if point is None:
            self.app.say(_("This image does not say where in the patient it lies."))
            return
        self._point = point, instance.frame_of_reference_uid
        self.app.say(_("Point {point} marked. N goes to the slice nearest to it.").format(point=point_line(point)))

    def action_nearest(self) -> None:
        """Goes to the slice of the open series that lies nearest to the marked point, in whichever series that was."""
        if self._contents is None or self._point is None:
            self.app.say(_("Mark a point first: M, or a click on the picture."))
            return
        found = nearest_slice(self._contents, *self._point)
        if found is None:
            self.app.say(_("No image of this series says where it lies in the same frame of reference."))
            return
        instance, frame = found
        table, place = self.query_one("#instances", RowTable), self._places[instance.sop_instance_uid] - 1
        if table.cursor_index == place:
            self._frame = frame
            self._ask_picture()
        else:
            self._frame_ahead = frame
            table.move_to(place)

    def action_gaps(self) -> None:
        """What is odd about the slices of the open series."""
        if self._contents is None:
            self.app.say(_("Open a series first: gaps are found among its instances."))
            return
        self.app.push_screen(GapsScreen(self._study, self._contents))

    def action_priors(self) -> None:
        """The patient's other studies."""
        self.app.push_screen(PriorsScreen(self._study, StudyScreen))

    def action_tags(self) -> None:
        """The data elements of the selected instance."""
        instance = self.instance
        if instance is None:
            self.app.say(_("Open a series first: tags belong to an instance."))
            return
        self.app.push_screen(TagsScreen(self._study, instance, self._about(instance)))

    def action_push(self) -> None:
        """Asks whereto with the selected series, or with the whole study when none is selected."""
        marks = self.query_one("#series", RowTable).marks
        chosen = tuple(series for key, series in self._series.items() if key in marks)
        self.app.push_screen(PushScreen(PushPlan((self._study,), chosen)), self._pushed)

    def _pushed(self, pushed: bool | None) -> None:
        if pushed:
            self.query_one("#series", RowTable).marks = frozenset()
            self._say_series()
            self.query_one(TransferBar).take_focus()

    @on(TransferBar.Left)
    def back_to_rows(self) -> None:
        """The transfer bar gives the focus back."""
        self.query_one("#instances" if self._instances else "#series", RowTable).focus()

    def action_back(self) -> None:
        """Stops a retrieval; else from the instances to the series, from the series to the studies."""
        if self.app.tickets.cancel("series"):
            count = plural("{count} instance", "{count} instances", len(self._instances))
            self._say("#instances-state", joined(_("Cancelled."), count))
            if self.preview.picture is None:
                self.preview.say(_("Cancelled."))
        elif self.query_one("#instances", RowTable).has_focus:
            self.query_one("#series", RowTable).focus()
        else:
            for group in ("study", "picture"):
                self.app.tickets.cancel(group)
            self.dismiss()
