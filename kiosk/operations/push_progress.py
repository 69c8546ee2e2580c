"""How a push stands, for the person whose push it is."""

from kiosk.imaging.outbox import Outbox, OutboxJob
from kiosk.operations.facts import FailedInstance, TransferProgress, TransferState
from kiosk.operations.job import read_errand


def push_progress(outbox: Outbox, job: OutboxJob, session_id: str) -> TransferProgress:
    """As the outbox has it; raises ImagingError for a push that cannot be read any more."""
    errand = read_errand(job.errand)
    counts = outbox.counts(job.job_id)
    return TransferProgress(
        session_id=session_id,
        job_id=job.job_id,
        state=TransferState(job.state.value),
        patient=errand.study.patient,
        study_description=errand.study.description,
        destination=job.destination,
        instances_total=counts.total,
        instances_fetched=counts.fetched,
        instances_done=counts.sent,
        instances_failed=counts.failed,
        bytes_total=counts.bytes_total,
        bytes_done=counts.bytes_sent,
        sentence=job.sentence,
        failures=tuple(FailedInstance(one.sop_instance_uid, one.reason) for one in counts.failures),
    )
