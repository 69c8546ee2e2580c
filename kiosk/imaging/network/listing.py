"""What an archive says it has, read while the first of it is on its way: a long list need not be waited for."""

from collections.abc import Callable
from threading import Condition, Event, Thread
from typing import Final

from kiosk.errors import Cancelled, ImagingError, KioskError
from kiosk.imaging.network.find import Listed, ListedClasses, ListedSeries, list_instances
from kiosk.imaging.network.storage_contexts import likely_classes
from kiosk.imaging.peers import Peer

LOOK_SECONDS: Final = 0.05
JOIN_SECONDS: Final = 1.0


class Listing:
    """The instances of a study, or of one series of it: `with Listing(...) as listing`. May be asked from any thread.

    `instances` are by SOP Instance UID, `series` is the series of each, `modalities` those of the series; all of them
    grow until the listing has ended. With `most_classes` the archive may tell the SOP classes of the study instead of
    each instance's, as long as they are not more. What waits raises the listing's error, or Cancelled.
    """

    def __init__(
        self, peer: Peer, study_instance_uid: str, series_instance_uid: str, cancel: Event, most_classes: int = 0
    ) -> None:
        self.instances: dict[str, Listed] = {}
        self.series: dict[str, str] = {}
        self.modalities: dict[str, str] = {}
        self._wish = peer, study_instance_uid, series_instance_uid
        self._cancel = cancel
        self._most_classes = most_classes
        self._told: frozenset[str] = frozenset()
        self._halt = Event()
        self._changed = Condition()
        self._sop_class_uids: set[str] = set()
        self._begun: set[str] = set()
        self._ended = False
        self._failure: KioskError | None = ImagingError(f"The list of {peer} cannot be read.")
        self._thread = Thread(target=self._run, name="listing", daemon=True)

    def thorough(self) -> "Listing":
        """The same to be asked anew, with the SOP class of each instance."""
        return Listing(*self._wish, self._cancel)

    def __enter__(self) -> "Listing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._halt.set()
        self._thread.join(JOIN_SECONDS)

    @property
    def has_ended(self) -> bool:
        """True when it is all known, or will never be."""
        return self._ended

    @property
    def sop_class_uids(self) -> frozenset[str]:
        """The SOP classes that are known by now; empty where the archive does not tell those of all instances."""
        with self._changed:
            return self._told or (frozenset() if "" in self._sop_class_uids else frozenset(self._sop_class_uids))

    @property
    def is_thorough(self) -> bool:
        """True when SOP classes are told with each instance, if at all."""
        return not self._told

    @property
    def settled_sop_class_uids(self) -> frozenset[str]:
        """All the SOP classes there are; empty while they are open, or never told."""
        return self.sop_class_uids if self._told or self._ended else frozenset()

    def await_instance(self, sop_instance_uid: str) -> bool:
        """True once it is listed, False when it is not: that is known at the end."""
        self._await(lambda: sop_instance_uid in self.series)
        return sop_instance_uid in self.series

    def await_outline(self) -> frozenset[str]:
        """The SOP classes as soon as they can be guessed, by what a series begins with and what its modality is
        likely to be; none where the archive does not tell. Others may turn out at the end."""
        self._await(lambda: bool(self._guess()))
        return self._guess()

    def await_end(self) -> None:
        """Waits until all of it is known."""
        self._await(lambda: False)

    def _guess(self) -> frozenset[str]:
        if self._told or self._ended:
            return self.sop_class_uids
        likely = [likely_classes(modality) for uid, modality in self.modalities.items() if uid not in self._begun]
        if "" in self._sop_class_uids or not all(likely):
            return frozenset()
        return frozenset(self._sop_class_uids).union(*likely)

    def _await(self, is_enough: Callable[[], bool]) -> None:
        with self._changed:
            while not self._ended and not is_enough():
                if self._cancel.is_set():
                    raise Cancelled
                self._changed.wait(LOOK_SECONDS)
            if self._ended and self._failure is not None:
                raise self._failure

    def _run(self) -> None:
        try:
            for found in list_instances(*self._wish, self._halt, self._most_classes):
                with self._changed:
                    self._add(found)
                    self._changed.notify_all()
            self._failure = None
        except KioskError as error:
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _add(self, found: ListedClasses | ListedSeries | Listed) -> None:
        if isinstance(found, ListedClasses):
            self._told = found.sop_class_uids
            return
        if isinstance(found, ListedSeries):
            self.modalities[found.series_instance_uid] = found.modality
            return
        if found.sop_instance_uid not in self.series:
            self.instances[found.sop_instance_uid] = found
            self.series[found.sop_instance_uid] = found.series_instance_uid
            self._sop_class_uids.add(found.sop_class_uid)
            self._begun.add(found.series_instance_uid)
