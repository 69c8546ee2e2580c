"""One push: list what the archive holds, fetch what is missing here, send what the destination does not have yet."""

from collections.abc import Generator
from dataclasses import dataclass
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import AuditMessage, Node, Outcome, events
from kiosk.imaging.calls import Imaging, SendState, SentInstance, ToSend
from kiosk.imaging.outbox import ItemState, JobState, Outbox, OutboxItem
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Study
from kiosk.operations.facts import TransferState
from kiosk.operations.perform import Ending, Operation
from kiosk.operations.principal import Delegation, Principal
from kiosk.operations.statement import Statement, who
from kiosk.operations.subjects import patient_ref, study_ref

NOT_SENT = "The archive did not send it."


@dataclass(frozen=True)
class Delivered:
    """What came of one attempt. `later` is the reason why the rest should be tried again."""

    sent: int
    failed: int
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
        return Delivered(sum(item.state.is_there for item in items), failed, later)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """DICOM Instances Transferred (PS3.15 A.5.3.5): one message for what went, one for what did not."""
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
        """Every instance that was asked for, as the archive lists it now."""
        uid, wanted = self.study.study_instance_uid, set(self.outbox.job(self.job_id).series_instance_uids)
        listed = [
            series
            for series in self.imaging.find_series(self.archive, uid, cancel)
            if not wanted or series.series_instance_uid in wanted
        ]
        return tuple(
            OutboxItem(self.job_id, key.sop_instance_uid, key.sop_class_uid, series.series_instance_uid)
            for series in listed
            for key in self.imaging.find_instances(self.archive, uid, series.series_instance_uid, cancel)
        )

    def _fetch(self, cancel: Event) -> Generator[TransferState, None, None]:
        wanted: dict[str, list[str]] = {}
        for item in self.outbox.items(self.job_id):
            if item.state is ItemState.WANTED:
                wanted.setdefault(item.series_instance_uid, []).append(item.sop_instance_uid)
        for series, instances in wanted.items():
            whole = len(instances) == sum(item.series_instance_uid == series for item in self.outbox.items(self.job_id))
            only = () if whole else tuple(instances)
            missing = set(instances)
            uid = self.study.study_instance_uid
            for received in self.imaging.retrieve(self.archive, uid, series, only, self.spool, cancel, durable=True):
                self.outbox.mark_fetched(self.job_id, received)
                missing.discard(received.sop_instance_uid)
                yield TransferState.FETCHING
            for sop_instance_uid in sorted(missing):
                self.outbox.mark_failed(self.job_id, sop_instance_uid, NOT_SENT)

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
