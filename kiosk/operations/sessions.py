"""What belongs to one open session and ends with it: running acts, the spool, the series it opened."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from kiosk.errors import NoSession, NotAllowed
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import Instance, SeriesContents, Study


@dataclass(frozen=True)
class _Opened:
    study: Study
    contents: SeriesContents
    files: frozenset[str]


class SessionHoldings:
    """Thread-safe. `end` cancels what runs and wipes what was retrieved."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._cancels: dict[str, set[Event]] = {}
        self._opened: dict[str, dict[str, _Opened]] = {}

    def begin(self, session_id: str) -> None:
        """The session is open from here on; its spool is made."""
        with self._lock:
            self._cancels[session_id] = set()
            self._opened[session_id] = {}
        (self._root / session_id).mkdir(mode=0o700, parents=True, exist_ok=True)

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
                Spool(self._root / session_id).wipe()

    def keep(self, session_id: str, study: Study, contents: SeriesContents) -> None:
        """A series is being opened or was: pictures and tags of its instances may be asked for."""
        files = frozenset(instance.file for instance in contents.instances)
        with self._lock:
            if session_id in self._opened:
                self._opened[session_id][contents.series.series_instance_uid] = _Opened(study, contents, files)

    def study_of(self, session_id: str, instance: Instance) -> Study:
        """The study an instance was opened with; raises NotAllowed for one that this session did not open."""
        with self._lock:
            opened = self._opened.get(session_id, {}).get(instance.series_instance_uid)
        if opened is None or instance.file not in opened.files:
            raise NotAllowed("This image was not opened in this session.")
        return opened.study

    def end(self, session_id: str) -> None:
        """Cancels what runs, forgets and wipes the rest."""
        with self._lock:
            cancels = self._cancels.pop(session_id, set())
            self._opened.pop(session_id, None)
        for cancel in cancels:
            cancel.set()
        Spool(self._root / session_id).wipe()

    def wipe_all(self) -> None:
        """At start: nothing of an earlier run may survive."""
        if self._root.is_dir():
            for left in self._root.iterdir():
                Spool(left).wipe()
