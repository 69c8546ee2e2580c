"""One list of what several archives answer, each asked at the same time and none waiting for another."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Final

from kiosk.errors import Cancelled, ImagingError, KioskError
from kiosk.imaging.calls import Found
from kiosk.imaging.studies.model import Study

LOOK_SECONDS: Final = 0.05
ENDING_SECONDS: Final = 2.0

Ask = Callable[[Event], Generator[Study, None, Found]]


@dataclass(frozen=True)
class _Said:
    """What came from an archive: a study, how it ended, or why it failed."""

    archive: str
    what: Study | Found | KioskError


class Union:
    """Joins rows by Study Instance UID: one study in two archives is one row that names both.

    Of a study, the archive that comes first in `asks` counts. Two archives that give one Study Instance UID to
    different patients, by (Patient ID, Issuer), are not joined: the row stays that of the first, and it is said.
    """

    def __init__(self, asks: Mapping[str, Ask], limit: int) -> None:
        self.found: dict[str, Found] = {}
        self.failed: dict[str, ImagingError] = {}
        self.more = False
        self._asks = asks
        self._limit = limit
        self._places = {name: place for place, name in enumerate(asks)}
        self._rows: dict[str, dict[str, Study]] = {}
        self._disputed: set[str] = set()
        self._said: SimpleQueue[_Said] = SimpleQueue()
        self._stop = Event()

    @property
    def count(self) -> int:
        """How many studies there are."""
        return len(self._rows)

    def run(self, cancel: Event) -> Generator[Study, None, None]:
        """Rows as they come, and again when more is known of them. Raises Cancelled, and what is no ImagingError."""
        threads = [
            Thread(target=self._attend, args=(name, ask), name="kiosk-query", daemon=True)
            for name, ask in self._asks.items()
        ]
        for thread in threads:
            thread.start()
        try:
            while len(self.found) + len(self.failed) < len(threads):
                if cancel.is_set():
                    raise Cancelled
                try:
                    said = self._said.get(timeout=LOOK_SECONDS)
                except Empty:
                    continue
                row = self._take(said)
                if row is not None:
                    yield row
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(ENDING_SECONDS)

    def notes(self) -> tuple[str, ...]:
        """What is to be said of the archives, and of studies that are not what they seem to be."""
        notes = [*map(str, self.failed.values())]
        for name in self._asks:
            if name in self.found:
                notes.extend(self.found[name].notes)
        if self._disputed:
            few = len(self._disputed) == 1
            notes.append(
                f"{len(self._disputed)} {'study is' if few else 'studies are'} another patient's in another archive."
            )
        return (*notes, *remarks([self._row(uid) for uid in self._rows]))

    def _attend(self, name: str, ask: Ask) -> None:
        answers = ask(self._stop)
        try:
            while True:
                try:
                    self._said.put(_Said(name, next(answers)))
                except StopIteration as stop:
                    self._said.put(_Said(name, stop.value))
                    return
        except KioskError as error:
            self._said.put(_Said(name, error))

    def _take(self, said: _Said) -> Study | None:
        match said.what:
            case Study():
                return self._keep(said.what)
            case Found():
                self.found[said.archive] = said.what
                self.more = self.more or said.what.more
            case Cancelled():  # by us, as the limit was reached
                self.found[said.archive] = Found(0, True)
            case ImagingError():
                self.failed[said.archive] = said.what
            case _:
                raise said.what
        return None

    def _keep(self, study: Study) -> Study | None:
        uid = study.study_instance_uid
        if uid not in self._rows and len(self._rows) >= self._limit:
            self.more = True
            self._stop.set()
            return None
        held = self._rows.setdefault(uid, {})
        held[study.archive] = study
        return self._row(uid)

    def _row(self, uid: str) -> Study:
        held = self._rows[uid]
        names = sorted(held, key=lambda name: self._places.get(name, len(self._places)))
        first = held[names[0]]
        same = [name for name in names[1:] if not first.patient.key.contradicts(held[name].patient.key)]
        if len(same) < len(names) - 1:
            self._disputed.add(uid)
        return replace(first, also_in=tuple(same))


def remarks(studies: list[Study]) -> tuple[str, ...]:
    """That an accession number holds several studies, or a Patient ID several patients, of different issuers or of
    none: neither is one thing."""
    numbers: dict[tuple[str, str], set[str]] = {}
    patients: dict[str, set[str]] = {}
    for study in studies:
        if study.accession_number:
            numbers.setdefault((study.accession_number, study.accession_issuer), set()).add(study.study_instance_uid)
        if study.patient.patient_id:
            patients.setdefault(study.patient.patient_id, set()).add(study.patient.issuer)
    shared = sum(len(uids) > 1 for uids in numbers.values())
    several = sum(len(issuers) > 1 for issuers in patients.values())
    said = []
    if shared:
        said.append(f"{shared} accession {'number holds' if shared == 1 else 'numbers hold'} several studies.")
    if several:
        said.append(f"{several} Patient {'ID has' if several == 1 else 'IDs have'} several issuers: not one patient.")
    return tuple(said)
