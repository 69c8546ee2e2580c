"""One push: list what the archive holds, fetch what is missing here, send what the destination does not have yet."""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import AuditMessage, Node, Outcome, events
from kiosk.errors import Cancelled, PeerBusy, PeerRefused
from kiosk.imaging.calls import Imaging, SendState, SentInstance, ToSend
from kiosk.imaging.outbox import ItemState, JobState, Outbox, OutboxItem
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import Study
from kiosk.operations.facts import TransferState
from kiosk.operations.perform import Ending, Operation
from kiosk.operations.principal import Delegation, Principal
from kiosk.operations.statement import Statement, who
from kiosk.operations.subjects import patient_ref, study_ref

NOT_SENT = "The archive did not send it."
MOST_INSTANCES = 100_000
"""More than any study has: an archive that lists more is broken or hostile."""


@dataclass(frozen=True)
class Delivered:
    """What came of one attempt, in instances. `later` is the reason why those that are `left` should be tried again."""

    sent: int
    failed: int
    left: int
    later: str = ""


@dataclass(frozen=True)
class DeliverPush(Operation[TransferState, Delivered]):
    """Works through one job of the outbox; what earlier attempts did is not done again."""

    name: ClassVar[str] = "deliver"
    permission: ClassVar[Permission | None] = Permission.PUSH
    accepts: ClassVar[tuple[type, ...]] = (Delegation,)

    imaging: Imaging
    outbox: Outbox
    archive: Peer
    destination: Peer
    study: Study
    job_id: str
    spool: str

    def intent(self, by: Principal) -> Statement:
        """What is being sent where."""
        said = f"Deliver to {self.destination}"
        return Statement(said, patient=patient_ref(self.study.patient), details=self._details)

    def act(self, by: Principal, cancel: Event) -> Generator[TransferState, None, Delivered]:
        """Yields where it stands after each instance."""
        yield TransferState.FETCHING
        self.outbox.set_state(self.job_id, JobState.FETCHING)
        if not self.outbox.items(self.job_id):
            self.outbox.plan(self.job_id, self._list(cancel))
        yield from self._fetch(cancel)
        self.outbox.set_state(self.job_id, JobState.SENDING)
        later = yield from self._send(cancel)
        items = self.outbox.items(self.job_id)
        failed = sum(item.state is ItemState.FAILED for item in items)
        sent = sum(item.state.is_there for item in items)
        return Delivered(sent, failed, len(items) - sent - failed, later)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """DICOM Instances Transferred (PS3.15 A.5.3.7): one message for what went, one for what did not."""
        items = self.outbox.items(self.job_id)
        there = [item.sop_class_uid for item in items if item.state.is_there]
        missing = [item.sop_class_uid for item in items if not item.state.is_there]
        messages: tuple[AuditMessage, ...] = ()
        if there:
            messages += self._transferred(by, there, Outcome.SUCCESS, "")
        if missing or not there:
            wrong: Outcome = Outcome.SERIOUS if ending.outcome is Outcome.SUCCESS else ending.outcome
            messages += self._transferred(by, missing, wrong, ending.words)
        outcome = Outcome.SERIOUS if missing and ending.outcome is Outcome.SUCCESS else ending.outcome
        said = f"Deliver to {self.destination}: {len(there)} of {len(items)} instances, {ending.words}"
        return Statement(said, outcome, messages, patient_ref(self.study.patient), details=self._details)

    def _list(self, cancel: Event) -> tuple[OutboxItem, ...]:
        """Every instance that was asked for, as the archive lists it now; PeerRefused when that is not all there."""
        uid, wanted = self.study.study_instance_uid, set(self.outbox.job(self.job_id).series_instance_uids)
        listed = [
            series.series_instance_uid
            for series in self.imaging.find_series(self.archive, uid, cancel)
            if not wanted or series.series_instance_uid in wanted
        ]
        if lost := len(wanted.difference(listed)):
            raise PeerRefused(f"{self.archive} lists {lost} of the chosen series no more.")
        items: list[OutboxItem] = []
        for series in listed:
            for key in self.imaging.find_instances(self.archive, uid, series, cancel):
                if len(items) >= MOST_INSTANCES:
                    raise PeerRefused(f"{self.archive} lists more than {MOST_INSTANCES} instances of this study.")
                items.append(OutboxItem(self.job_id, key.sop_instance_uid, key.sop_class_uid, series))
        if not items:
            raise PeerRefused(f"{self.archive} lists no instances of this study.")
        return tuple(items)

    def _fetch(self, cancel: Event) -> Generator[TransferState, None, None]:
        """What one series cannot give does not keep the others from going."""
        items = self.outbox.items(self.job_id)
        sizes = Counter(item.series_instance_uid for item in items)
        wanted: dict[str, list[str]] = {}
        for item in items:
            if item.state is ItemState.WANTED:
                wanted.setdefault(item.series_instance_uid, []).append(item.sop_instance_uid)
        refused: PeerRefused | None = None
        for series, instances in wanted.items():
            only = () if len(instances) == sizes[series] else tuple(instances)
            missing = set(instances)
            try:
                why = yield from self._fetch_series(series, only, missing, cancel)
            except PeerBusy:
                raise
            except PeerRefused as error:
                refused, why = error, str(error)
            for sop_instance_uid in sorted(missing):
                if cancel.is_set():
                    raise Cancelled
                self.outbox.mark_failed(self.job_id, sop_instance_uid, why or NOT_SENT)
        if refused is not None and all(item.state is ItemState.FAILED for item in self.outbox.items(self.job_id)):
            raise refused

    def _fetch_series(
        self, series: str, only: tuple[str, ...], missing: set[str], cancel: Event
    ) -> Generator[TransferState, None, str]:
        """Takes what comes out of `missing`; returns the archive's reason for what did not come."""
        uid = self.study.study_instance_uid
        arriving = self.imaging.retrieve(self.archive, uid, series, only, self.spool, cancel, durable=True)
        while True:
            try:
                received = next(arriving)
            except StopIteration as stop:
                return str(stop.value.reason)
            if received.sop_instance_uid not in missing:  # it came to the archive after its instances were listed
                Spool(Path(self.spool)).remove(received.file)
                continue
            self.outbox.mark_fetched(self.job_id, received)
            missing.discard(received.sop_instance_uid)
            yield TransferState.FETCHING

    def _send(self, cancel: Event) -> Generator[TransferState, None, str]:
        files = tuple(
            ToSend(item.sop_instance_uid, item.sop_class_uid, item.transfer_syntax_uid, item.file, item.size)
            for item in self.outbox.items(self.job_id)
            if item.state is ItemState.FETCHED
        )
        if not files:
            return ""
        later = ""
        answers = self.imaging.send(self.destination, files, self.spool, cancel)
        while True:
            try:
                sent = next(answers)
            except StopIteration as stop:
                return stop.value.reason or later
            later = self._note(sent) or later
            yield TransferState.SENDING

    def _note(self, sent: SentInstance) -> str:
        """Keeps one answer; the reason when the instance should be tried again later."""
        match sent.state:
            case SendState.STORED | SendState.STORED_WITH_WARNING:
                self.outbox.mark_sent(self.job_id, sent.sop_instance_uid, sent.reason)
            case SendState.FAILED:
                self.outbox.mark_failed(self.job_id, sent.sop_instance_uid, sent.reason)
            case SendState.RETRY_LATER:
                return sent.reason
        return ""

    def _transferred(
        self, by: Principal, sop_class_uids: list[str], outcome: Outcome, why: str
    ) -> tuple[AuditMessage, ...]:
        return events.transferred(
            who(by),
            Node(self.destination.calling_ae_title),
            Node(self.destination.ae_title, self.destination.host),
            (study_ref(self.study, sop_class_uids),),
            patient_ref(self.study.patient),
            outcome,
            why,
        )

    @property
    def _details(self) -> tuple[tuple[str, str], ...]:
        return (
            ("job", self.job_id),
            ("study", self.study.study_instance_uid),
            ("destination", self.destination.ae_title),
        )
