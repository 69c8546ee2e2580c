"""Every status that a destination may answer a C-STORE with, and what becomes of the instance: one push of them all."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from kiosk.imaging.network.keys import STUDY_ROOT_FIND
from kiosk.imaging.outbox import ItemState, JobState, OutboxItem, OutboxJob
from kiosk.operations import backoff, deliver
from tests.kiosk.operations.test_parcels import Store, serving, shop, study_of
from tests.peers import Server, ct_series, fill

WARNINGS = {
    0xB000: "coercion of data elements",
    0xB006: "elements discarded",
    0xB007: "data set does not match SOP class",
    0x0001: "optional attributes are not supported",
    0x0107: "attribute list error",
    0x0116: "attribute value out of range",
}
LATER = {
    0xA700: "out of resources",
    0xA7FF: "out of resources",
    0x0213: "resource limitation",
}
NEVER = {
    0xA900: "data set does not match SOP class",
    0xA9FF: "data set does not match SOP class",
    0xC000: "cannot understand",
    0xCFFF: "cannot understand",
    0x0105: "no such attribute",
    0x0106: "invalid attribute value",
    0x0110: "processing failure",
    0x0111: "duplicate SOP instance",
    0x0112: "no such SOP instance",
    0x0115: "invalid argument value",
    0x0117: "invalid SOP instance",
    0x0118: "no such SOP class",
    0x0119: "class and instance conflict",
    0x0120: "missing attribute",
    0x0121: "missing attribute value",
    0x0122: "SOP class not supported",
    0x0124: "not authorised",
    0x0210: "duplicate invocation",
    0x0211: "unrecognised operation",
    0x0212: "mistyped argument",
    0xA800: "unknown status",
    0xFE00: "cancelled",
    0xFF00: "unknown status",
    0x1234: "unknown status",
}
CODES = (0x0000, *WARNINGS, *LATER, *NEVER)
BUSY_TWICE = 2


class Judging(Store):
    """Answers each instance with the status that is its Instance Number; out of resources passes after two times."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def on_store(self, event: Any) -> int:
        code = CODES[int(event.dataset.InstanceNumber) - 1]
        self.asked.append(code)
        if code in LATER and self.asked.count(code) > BUSY_TWICE:
            code = 0
        if code == 0 or code in WARNINGS:
            self.stored.append(str(event.request.AffectedSOPInstanceUID))
        return code


@dataclass(frozen=True)
class Judged:
    """What became of the push: the job, its items by status, and how often each was sent."""

    job: OutboxJob
    items: dict[int, OutboxItem]
    asked: list[int]
    seen_later: str


@pytest.fixture(scope="module")
def judged(orthanc: Server, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    datasets: list[Dataset] = ct_series(len(CODES), PatientID="P-statuses")
    fill(orthanc.peer, datasets)
    store, folder = Judging(), Path(tmp_path_factory.mktemp("statuses"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backoff, "BUSY", (0.5,))
        patch.setattr(deliver, "LOOK_EVERY", 0.05)
        with serving(store, STUDY_ROOT_FIND) as peer, shop(folder, orthanc.peer, peer) as desk:
            job_id = desk.push(study_of(datasets))
            seen = desk.await_job(job_id, lambda job: job.attempts > 0)
            job = desk.await_job(job_id, lambda job: job.state.is_final)
            by_uid = {item.sop_instance_uid: item for item in desk.outbox.items(job_id)}
    items = {code: by_uid[str(one.SOPInstanceUID)] for code, one in zip(CODES, datasets, strict=True)}
    return Judged(job, items, store.asked, seen.sentence)


@pytest.mark.parametrize("code", CODES, ids=lambda code: f"{code:04X}")
def test_every_status_makes_it_delivered_with_its_words_or_later_or_never(code: int, judged: Judged) -> None:
    item, sent = judged.items[code], judged.asked.count(code)
    if code in NEVER:
        assert (item.state, sent) == (ItemState.FAILED, 1)
        assert f"{NEVER[code]} ({code:04X})" in item.reason
    elif code in LATER:
        assert (item.state, item.reason, sent) == (ItemState.DELIVERED, "", BUSY_TWICE + 1)
    else:
        expected = f"{WARNINGS[code]} ({code:04X})" if code else ""
        assert (item.state, item.reason, sent) == (ItemState.DELIVERED, expected, 1)


def test_the_push_says_while_it_waits_that_it_will_try_again_and_at_the_end_what_did_not_arrive(judged: Judged) -> None:
    assert "Tried again in 0.5 s." in judged.seen_later
    assert any(f"({code:04X})" in judged.seen_later for code in LATER)
    assert (judged.job.state, judged.job.sentence) == (JobState.FAILED, f"{len(NEVER)} instances did not arrive.")


@pytest.mark.parametrize(
    ("code", "state"),
    [(0xA700, JobState.DELIVERED), (0xC000, JobState.SENT)],
    ids=["A700", "C000"],
)
def test_a_destination_that_took_it_and_refuses_to_be_asked_for_it_fails_no_push(
    code: int, state: JobState, orthanc: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "BUSY", (0.05,))
    monkeypatch.setattr(backoff, "BROKEN_OFF", (0.05,))
    monkeypatch.setattr(deliver, "LOOK_EVERY", 0.05)
    datasets = ct_series(2, PatientID=f"P-unasked-{code:04X}")
    fill(orthanc.peer, datasets)

    class Unwilling(Store):
        queries = 0

        def on_find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
            self.queries += 1
            if code != 0xA700 or self.queries == 1:
                yield code, None
                return
            yield from super().on_find(event)

    store = Unwilling()
    with serving(store, STUDY_ROOT_FIND) as peer, shop(tmp_path, orthanc.peer, peer) as desk:
        job = desk.run(study_of(datasets))
        counts = desk.outbox.counts(job.job_id)
    assert job.state is state
    assert (f"{code:04X}" in job.sentence) is (state is JobState.SENT)
    assert (len(store.stored), counts.sent, counts.failed) == (2, 2, 0)
    assert store.queries > 1
