"""What a person asks of an open study beside its lists: gaps, the patient's other studies, points in the patient."""

from threading import Event

from kiosk.imaging.calls import Found
from kiosk.imaging.studies.geometry import Vector
from kiosk.imaging.studies.model import Study
from kiosk.imaging.studies.priors import priors_of
from kiosk.operations.operations import Operations
from kiosk.plain.console import Console
from kiosk.plain.desk import Desk
from kiosk.plain.words import decimal, number
from kiosk.views.gaps import report_lines
from kiosk.views.instances import instance_line
from kiosk.views.points import nearest_slice, point_at, point_line
from kiosk.views.priors import prior_cells, priors_line, priors_query
from kiosk.views.series import series_line
from kiosk.views.text import joined
from kiosk.views.words import _

STRIP_WIDTH = 76


class BrowseActs:
    """Each method may raise KioskError; `priors` runs in a thread of its own."""

    def __init__(self, operations: Operations, console: Console) -> None:
        self._operations = operations
        self._console = console

    def gaps(self, desk: Desk) -> None:
        """The gap report of the open series."""
        if desk.contents is None:
            self._console.say(_("No series is open."), unless=desk.closed)
            return
        lines = report_lines(desk.contents, STRIP_WIDTH)
        self._console.say(series_line(desk.contents.series), *lines, unless=desk.closed)

    def priors(self, desk: Desk, cancel: Event) -> None:
        """The other studies of the open study's patient, newest first; "open N" opens them from then on."""
        study = desk.study
        query = _("Open a study first.") if study is None else priors_query(study)
        if study is None or isinstance(query, str):
            self._console.say(str(query), unless=desk.closed)
            return
        every: list[Study] = []
        stream = self._operations.query(desk.session.session_id, query, cancel)
        found: Found | None = None
        while found is None:
            try:
                every.append(next(stream))
            except StopIteration as end:
                found = end.value
        priors = priors_of(study, every)
        desk.studies = [*priors.later, *priors.earlier]
        desk.selected_studies.clear()
        self._console.say(priors_line(priors, found), unless=desk.closed)
        for place, prior in enumerate(desk.studies, start=1):
            cells = ", ".join(cell for cell in prior_cells(prior, study) if cell)
            self._console.say(f"{place}. {cells}", unless=desk.closed)

    def point(self, desk: Desk, words: list[str]) -> None:
        """Marks the point of the patient at a pixel: instance N, row and column from 0, and the frame from 1."""
        contents = desk.contents
        chosen = number(words[0] if words else "", 0 if contents is None else len(contents.instances))
        if contents is None or isinstance(chosen, str):
            self._console.say(str(chosen), unless=desk.closed)
            return
        instance = contents.instances[chosen - 1]
        row, column = (decimal(word) for word in words[1:3]) if len(words) >= 3 else (None, None)
        frame = number(words[3], instance.frames) if len(words) > 3 else 1
        if row is None or column is None or isinstance(frame, str):
            self._console.say(_("An instance, a row and a column, please: point 12 255.5 255.5"), unless=desk.closed)
            return
        point = point_at(instance, frame - 1, row, column)
        if point is None:
            self._console.say(_("This image does not say where in the patient it lies."), unless=desk.closed)
            return
        desk.point = point, instance.frame_of_reference_uid
        self._console.say(point_line(point), unless=desk.closed)

    def nearest(self, desk: Desk, words: list[str]) -> None:
        """The slice of the open series nearest to the marked point, or to one given as x y z in mm (LPS)."""
        contents, marked = desk.contents, desk.point
        if contents is None:
            self._console.say(_("No series is open."), unless=desk.closed)
            return
        if words:
            given = _vector(words)
            known = next((one.frame_of_reference_uid for one in contents.instances if one.frame_of_reference_uid), "")
            marked = None if given is None else (given, known)
        if marked is None:
            self._console.say(_("Mark a point first, or give one: nearest -12.5 40 118"), unless=desk.closed)
            return
        found = nearest_slice(contents, *marked)
        if found is None:
            self._console.say(
                _("No image of this series says where it lies in the same frame of reference."), unless=desk.closed
            )
            return
        instance, frame = found
        place = contents.instances.index(instance) + 1
        plane = instance.plane(frame)
        away = "" if plane is None else _("{distance:.1f} mm away").format(distance=abs(plane.distance(marked[0])))
        row, column = plane.to_pixel(marked[0]) if plane is not None else (0.0, 0.0)
        pixel = _("row {row:.1f}, column {column:.1f}").format(row=row, column=column)
        of_frames = _("frame {frame}").format(frame=frame + 1) if instance.frames > 1 else ""
        line = instance_line(instance, place, len(contents.instances))
        self._console.say(joined(line, of_frames, pixel, away), unless=desk.closed)


def _vector(words: list[str]) -> Vector | None:
    values = [decimal(word) for word in words]
    if len(values) != 3 or values[0] is None or values[1] is None or values[2] is None:
        return None
    return values[0], values[1], values[2]
