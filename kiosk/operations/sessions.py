"""What belongs to one open session and ends with it: running acts, the spool, the series it opened."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from kiosk.errors import NoSession, NotAllowed, StorageFull, UnreadableObject
from kiosk.imaging.catalogue import Catalogue, KeptInstance, KeptSeries
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import Instance, Series, SeriesContents, Study

WIPES = 5
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Opened:
    study: Study
    contents: SeriesContents
    files: dict[str, Instance]


class SessionHoldings:
    """Thread-safe. `end` cancels what runs and wipes what was retrieved.

    What a front end hands back is compared with what this session was shown: a study or an instance that it made up
    would put another patient's name into the record. What was retrieved is in the `catalogue`.
    """

    def __init__(self, root: Path, catalogue: Catalogue | None = None) -> None:
        self._root = root
        self._catalogue = catalogue or Catalogue(time.monotonic)
        self._lock = threading.RLock()  # a generator that is collected may end in the middle of a call here
        self._cancels: dict[str, set[Event]] = {}
        self._seen: dict[str, dict[Study, str]] = {}
        self._opened: dict[str, dict[str, _Opened]] = {}

    def begin(self, session_id: str) -> None:
        """The session is open from here on; its spool is made. Raises StorageFull when the disk does not take it."""
        try:
            (self._root / session_id).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFull("The disk takes nothing more: no session can be opened.") from error
        with self._lock:
            self._cancels[session_id] = set()
            self._seen[session_id] = {}
            self._opened[session_id] = {}

    def spool(self, session_id: str) -> str:
        """The session's own folder."""
        return str(self._root / session_id)

    @contextmanager
    def running(self, session_id: str, cancel: Event) -> Iterator[None]:
        """While inside, the end of the session sets `cancel`; what still arrived after the end is wiped."""
        with self._lock:
            if session_id not in self._cancels:
                raise NoSession("The session has ended. Tap your badge to go on.")
            self._cancels[session_id].add(cancel)
        try:
            yield
        finally:
            with self._lock:
                over = session_id not in self._cancels
                self._cancels.get(session_id, set()).discard(cancel)
            if over:
                self._wipe(session_id)

    def see(self, session_id: str, study: Study, act_id: str) -> None:
        """A query of this session, on record under `act_id`, found the study."""
        with self._lock:
            if session_id in self._seen:
                self._seen[session_id][study] = act_id

    def found_by(self, session_id: str, study: Study) -> str | None:
        """The last query of this session that found exactly this study, patient and all; None when none did."""
        with self._lock:
            return self._seen.get(session_id, {}).get(study)

    def keep(self, session_id: str, study: Study, contents: SeriesContents) -> None:
        """A series is being opened or was: pictures and tags of its instances may be asked for."""
        files = {instance.file: instance for instance in contents.instances}
        with self._lock:
            if session_id in self._opened:
                self._opened[session_id][contents.series.series_instance_uid] = _Opened(study, contents, files)

    def opened(self, session_id: str, instance: Instance) -> Study:
        """The study an instance was opened with; raises NotAllowed for one that this session was not shown."""
        with self._lock:
            every = tuple(self._opened.get(session_id, {}).values())
        for one in every:
            shown = one.files.get(instance.file)
            if shown is not None and shown.sop_instance_uid == instance.sop_instance_uid:
                self._catalogue.use(session_id, one.contents.series.series_instance_uid)
                return one.study
        raise NotAllowed("This image was not opened in this session.")

    def came(self, session_id: str, study: Study, series: Series, instance: KeptInstance) -> None:
        """An instance of the series lies in the session's spool."""
        with self._lock:
            if session_id in self._cancels:
                self._catalogue.add(session_id, study, series, instance)

    def here(self, session_id: str, series_instance_uid: str) -> tuple[KeptInstance, ...]:
        """What of a series was retrieved in this session already."""
        return self._catalogue.instances(session_id, series_instance_uid)

    def kept(self, session_id: str) -> tuple[KeptSeries, ...]:
        """Every series of which something was retrieved in this session."""
        return self._catalogue.series(session_id)

    def tidy(self, session_id: str, current: str = "") -> None:
        """Removes the series that are too old, and the oldest of too many; the `current` one stays."""
        for uid in self._catalogue.overdue(session_id, current):
            self.drop(session_id, uid)

    def tidy_all(self) -> None:
        """Removes what is too old, in every session."""
        for session_id in self._catalogue.sessions():
            self.tidy(session_id)

    def drop(self, session_id: str, series_instance_uid: str) -> None:
        """Removes a series from the catalogue and from the spool."""
        with self._lock:
            self._opened.get(session_id, {}).pop(series_instance_uid, None)
            files = self._catalogue.forget(session_id, series_instance_uid)
        spool = Spool(self._root / session_id)
        with suppress(UnreadableObject):  # wiped meanwhile: the session is over
            for file in files:
                spool.remove(file)

    def end(self, session_id: str) -> None:
        """Cancels what runs, forgets and wipes the rest."""
        with self._lock:
            self._catalogue.end(session_id)
            cancels = self._cancels.pop(session_id, set())
            self._seen.pop(session_id, None)
            self._opened.pop(session_id, None)
        for cancel in cancels:
            cancel.set()
        self._wipe(session_id)

    def wipe_all(self) -> None:
        """At start: nothing of an earlier run may survive."""
        if self._root.is_dir():
            for left in self._root.iterdir():
                Spool(left).wipe()

    def _wipe(self, session_id: str) -> None:
        """The folder is moved first: the worker, if it still writes, finds no place for the next file."""
        folder = self._root / session_id
        moved = folder.with_suffix(".over")
        with suppress(OSError):  # gone already, or moved before
            folder.rename(moved)
        for left in (moved, folder):
            for _ in range(WIPES):
                Spool(left).wipe()
                if not left.exists():
                    break
            else:
                log.error("the spool of a session that is over could not be wiped")
