"""What the person at the line front end has open. It goes with the session, as a whole."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread

from kiosk.audit import Record
from kiosk.errors import KioskError
from kiosk.imaging.studies.geometry import Vector
from kiosk.imaging.studies.model import Series, SeriesContents, Study, StudyQuery
from kiosk.operations.facts import SessionOpened, TransferProgress
from kiosk.operations.operations import Destination
from kiosk.views.columns import SortOrder
from kiosk.views.push import PushPlan
from kiosk.views.refusals import refusal
from kiosk.views.studies import NEWEST_FIRST


@dataclass
class Desk:
    """Numbers that a person types count from 1 in these lists. `closed` is set when the session is over."""

    session: SessionOpened
    studies: list[Study] = field(default_factory=list)
    query: StudyQuery | None = None
    order: SortOrder = NEWEST_FIRST
    study: Study | None = None
    series: list[Series] = field(default_factory=list)
    contents: SeriesContents | None = None
    point: tuple[Vector, str] | None = None
    selected_studies: set[str] = field(default_factory=set)
    selected_series: set[str] = field(default_factory=set)
    transfers: dict[str, TransferProgress] = field(default_factory=dict)
    records: dict[int, Record] = field(default_factory=dict)
    closed: Event = field(default_factory=Event)
    asked_push: tuple[PushPlan, tuple[Destination, ...]] | None = None

    @property
    def plan(self) -> PushPlan | None:
        """What a push would send: the selected series, the open study, or the selected studies."""
        if self.study is not None:
            chosen = (series for series in self.series if series.series_instance_uid in self.selected_series)
            return PushPlan((self.study,), tuple(chosen))
        studies = tuple(study for study in self.studies if study.study_instance_uid in self.selected_studies)
        return PushPlan(studies) if studies else None


class Act:
    """One act that runs beside the reading of lines. `work` ends within a second of `cancel` being set."""

    def __init__(self, work: Callable[[Event], None], failed: Callable[[str], None]) -> None:
        self.cancel = Event()
        self._work = work
        self._failed = failed
        self._thread = Thread(target=self._run, name="kiosk-act", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """True until it has ended."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Waits for its end, in short steps so that a signal is heard."""
        while self._thread.is_alive():
            self._thread.join(0.2)

    def _run(self) -> None:
        try:
            self._work(self.cancel)
        except KioskError as error:
            self._failed(refusal(error))
