"""The outbox: every step durable, nothing done twice."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from kiosk.clock import SystemClock
from kiosk.errors import KioskError
from kiosk.imaging.calls import Received
from kiosk.imaging.outbox import ItemState, JobState, Outbox, OutboxFailure, OutboxItem, OutboxJob
from kiosk.imaging.outbox_schema import STEPS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.open()
    yield outbox
    outbox.close()


class Moving(SystemClock):
    """Later each time it is asked."""

    def __init__(self) -> None:
        self._now = NOW

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


def received(sop_instance_uid: str, file: str, size: int) -> Received:
    return Received(sop_instance_uid, "1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", file, size)


def job(outbox: Outbox, **values: object) -> str:
    job_id = outbox.new_job_id()
    outbox.add(OutboxJob(job_id, "a.weber", b'{"for": 1}', "PACS", "WS", "1.2", ("1.2.3",), JobState.WAITING))
    items = [OutboxItem(job_id, f"1.2.3.{number}", "1.2.840", "1.2.3") for number in range(4)]
    outbox.plan(job_id, items)
    return job_id


def states(outbox: Outbox, job_id: str) -> list[ItemState]:
    return [item.state for item in outbox.items(job_id)]


def test_a_job_comes_back_as_it_was_put_in(outbox: Outbox, tmp_path: Path) -> None:
    job_id = job(outbox)
    kept = outbox.job(job_id)
    assert (kept.owner, kept.errand, kept.archive, kept.destination) == ("a.weber", b'{"for": 1}', "PACS", "WS")
    assert kept.series_instance_uids == ("1.2.3",)
    assert "for" not in repr(kept)
    assert (tmp_path / "outbox.db").stat().st_mode & 0o777 == 0o600


def test_instances_go_from_wanted_to_sent(outbox: Outbox) -> None:
    job_id = job(outbox)
    for number in range(3):
        outbox.mark_fetched(job_id, received(f"1.2.3.{number}", f"{number:032}", 100))
    outbox.mark_sent(job_id, "1.2.3.0")
    outbox.mark_sent(job_id, "1.2.3.1", "elements discarded (B006)")
    outbox.mark_failed(job_id, "1.2.3.2", "out of resources (A700)")
    assert states(outbox, job_id) == [ItemState.SENT, ItemState.WARNED, ItemState.FAILED, ItemState.WANTED]
    counts = outbox.counts(job_id)
    assert (counts.total, counts.fetched, counts.sent, counts.failed) == (4, 3, 2, 1)
    assert (counts.bytes_total, counts.bytes_sent) == (300, 200)
    assert counts.failures == (OutboxFailure("1.2.3.2", "out of resources (A700)"),)


def test_a_retry_takes_up_what_failed_where_it_got_to(outbox: Outbox) -> None:
    job_id = job(outbox)
    outbox.mark_fetched(job_id, received("1.2.3.0", "0" * 32, 1))
    outbox.mark_sent(job_id, "1.2.3.0")
    outbox.mark_fetched(job_id, received("1.2.3.1", "1" * 32, 1))
    outbox.mark_failed(job_id, "1.2.3.1", "no")
    outbox.mark_failed(job_id, "1.2.3.2", "The archive did not send it.")
    outbox.set_state(job_id, JobState.FAILED, "2 instances did not arrive.")
    outbox.retry(job_id)
    assert states(outbox, job_id) == [ItemState.SENT, ItemState.FETCHED, ItemState.WANTED, ItemState.WANTED]
    assert outbox.job(job_id).state is JobState.WAITING


def test_planning_again_keeps_what_is_there(outbox: Outbox) -> None:
    job_id = job(outbox)
    outbox.mark_fetched(job_id, received("1.2.3.0", "0" * 32, 1))
    outbox.plan(job_id, [OutboxItem(job_id, f"1.2.3.{number}", "1.2.840", "1.2.3") for number in range(5)])
    assert states(outbox, job_id) == [ItemState.FETCHED, *[ItemState.WANTED] * 4]


def test_jobs_are_taken_oldest_first_and_when_their_pause_is_over(outbox: Outbox) -> None:
    first, second = job(outbox), job(outbox)
    outbox.put_off(first, NOW + timedelta(seconds=10), "Tried again in 10 s.")
    due = outbox.next_due(NOW)
    assert due is not None
    assert due.job_id == second
    outbox.set_state(second, JobState.SENDING)
    assert outbox.next_due(NOW) is None
    again = outbox.next_due(NOW + timedelta(seconds=10))
    assert again is not None
    assert (again.job_id, again.attempts, again.due) == (first, 1, NOW + timedelta(seconds=10))


def test_one_that_gave_way_comes_after_those_that_waited(tmp_path: Path) -> None:
    clock = Moving()
    outbox = Outbox(tmp_path / "turns.db", clock)
    outbox.open()
    first, second = job(outbox), job(outbox)
    outbox.set_state(first, JobState.SENDING)
    outbox.set_state(first, JobState.WAITING)
    third = job(outbox)
    assert [one.job_id for one in outbox.due(clock.now())] == [second, first, third]
    outbox.close()


def test_one_to_a_destination_that_is_busy_is_passed_over(outbox: Outbox) -> None:
    first = job(outbox)
    due = outbox.next_due(NOW)
    assert due is not None
    assert due.job_id == first
    assert outbox.next_due(NOW, {due.destination}) is None


def test_a_cancelled_job_is_not_taken_up(outbox: Outbox) -> None:
    job_id = job(outbox)
    outbox.cancel(job_id)
    assert outbox.next_due(NOW) is None
    assert [kept.job_id for kept in outbox.jobs((JobState.CANCELLED,))] == [job_id]
    outbox.set_state(job_id, JobState.SENT)
    outbox.cancel(job_id)
    outbox.retry(job_id)
    assert outbox.job(job_id).state is JobState.SENT


def test_forgetting_names_the_files_to_remove(outbox: Outbox) -> None:
    job_id, other = job(outbox), job(outbox)
    outbox.mark_fetched(job_id, received("1.2.3.0", "0" * 32, 1))
    outbox.mark_fetched(job_id, received("1.2.3.1", "1" * 32, 1))
    outbox.mark_fetched(other, received("1.2.3.0", "2" * 32, 1))
    outbox.mark_sent(job_id, "1.2.3.0")
    assert outbox.files() == {"0" * 32, "1" * 32, "2" * 32}
    assert set(outbox.forget_files(job_id)) == {"0" * 32, "1" * 32}
    assert states(outbox, job_id)[:2] == [ItemState.SENT, ItemState.WANTED]
    assert outbox.forget(other) == ("2" * 32,)
    assert outbox.files() == frozenset()
    assert outbox.items(other) == ()
    with pytest.raises(KioskError, match="not known"):
        outbox.job(other)


def test_marking_what_is_not_there_is_an_error(outbox: Outbox) -> None:
    job_id = job(outbox)
    for change in (
        lambda: outbox.mark_sent(job_id, "9.9"),
        lambda: outbox.set_state("nonsense", JobState.SENT),
        lambda: outbox.plan("nonsense", []),
    ):
        with pytest.raises(KioskError):
            change()


def test_a_file_that_is_no_outbox_is_named(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(KioskError, match="outbox cannot be used"):
        Outbox(tmp_path / "outbox.db").open()


def test_what_is_wrong_with_the_folder_or_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KioskError, match="outbox cannot be opened"):
        Outbox(tmp_path / "file" / "outbox.db").open()
    outbox = Outbox(tmp_path / "outbox.db")
    with pytest.raises(KioskError, match="closed"):
        outbox.jobs()
    outbox.open()
    job_id = job(outbox)
    outbox.close()
    path = tmp_path / "outbox.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(KioskError, match=r"outbox cannot be used \(SQLITE_"):
        outbox.open()
    with pytest.raises(KioskError, match="closed"):
        outbox.items(job_id)


def test_an_outbox_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with sqlite3.connect(path) as database:
        for statement in STEPS[0]:
            database.execute(statement)
        for number, state in enumerate(("waiting", "sending", "done", "failed")):
            database.execute(
                "INSERT INTO job (job_id, owner, errand, archive, destination, study_instance_uid,"
                " series_instance_uids, state, created, changed)"
                " VALUES (?, 'a', x'', 'P', 'W', '1.2', '[]', ?, 1.0, 1.0)",
                (str(number), state),
            )
        database.execute("PRAGMA user_version = 1")
    database.close()
    outbox = Outbox(path)
    outbox.open()
    states = [JobState.WAITING, JobState.WAITING, JobState.SENT, JobState.FAILED]
    assert [one.state for one in outbox.jobs()] == states
    outbox.close()
    outbox.open()
    assert [one.state for one in outbox.jobs()] == states
    outbox.close()


def test_what_is_under_way_is_unknown_after_a_crash_and_nothing_else_is(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.open()
    job_id = job(outbox)
    for number in range(3):
        outbox.mark_fetched(job_id, received(f"1.2.3.{number}", f"{number:032}", 1))
    outbox.set_state(job_id, JobState.SENDING)
    outbox.mark_sending(job_id, ["1.2.3.0", "1.2.3.1"])
    outbox.mark_sent(job_id, "1.2.3.0")
    outbox.close()
    outbox.open()
    assert outbox.job(job_id).state is JobState.WAITING
    assert states(outbox, job_id) == [ItemState.SENT, ItemState.SENDING, ItemState.FETCHED, ItemState.WANTED]
    outbox.forget_files(job_id)
    outbox.mark_left(job_id, ["1.2.3.1"])
    assert states(outbox, job_id) == [ItemState.SENT, ItemState.WANTED, ItemState.WANTED, ItemState.WANTED]
    outbox.close()


def test_a_commitment_finds_its_job_until_it_is_answered(outbox: Outbox) -> None:
    job_id = job(outbox)
    outbox.ask_commitment(job_id, "2.25.1")
    found = outbox.job_of("2.25.1")
    assert found is not None
    assert found.job_id == job_id
    assert found.asked is not None
    outbox.ask_commitment(job_id, "")
    assert outbox.job_of("2.25.1") is None
    assert outbox.job_of("") is None


def test_threads_may_use_it_at_once(outbox: Outbox) -> None:
    job_ids = [job(outbox) for _ in range(8)]

    def work(job_id: str) -> None:
        for number in range(4):
            outbox.mark_fetched(job_id, received(f"1.2.3.{number}", "0" * 32, 1))
            outbox.mark_sent(job_id, f"1.2.3.{number}")

    threads = [Thread(target=work, args=(job_id,)) for job_id in job_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(outbox.counts(job_id).sent == 4 for job_id in job_ids)


WRITER = """
import sys
from pathlib import Path
from kiosk.imaging.calls import Received
from kiosk.imaging.outbox import JobState, Outbox, OutboxItem, OutboxJob
outbox = Outbox(Path(sys.argv[1]))
outbox.open()
job = outbox.next_due(__import__("datetime").datetime.now(__import__("datetime").UTC))
outbox.set_state(job.job_id, JobState.SENDING)
for item in outbox.items(job.job_id):
    if not item.state.is_there:
        outbox.mark_fetched(job.job_id, Received(item.sop_instance_uid, "1.2", "1.2.3", "1.2", "0" * 32, 1))
        outbox.mark_sent(job.job_id, item.sop_instance_uid)
        print(item.sop_instance_uid, flush=True)
"""


def test_kill_9_loses_no_step_and_repeats_none(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)
    outbox.open()
    job_id = outbox.new_job_id()
    outbox.add(OutboxJob(job_id, "a.weber", b"", "PACS", "WS", "1.2", (), JobState.WAITING))
    outbox.plan(job_id, [OutboxItem(job_id, f"1.{number}", "1.2", "1.2.3") for number in range(5000)])
    outbox.close()
    reported: list[str] = []
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        reported.append(process.stdout.readline().strip())
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        reported += process.stdout.read().split()
        process.wait(10)
    outbox.open()
    sent = [item.sop_instance_uid for item in outbox.items(job_id) if item.state is ItemState.SENT]
    assert len(reported) == len(set(reported))
    # The one in flight when the process died may be sent without having been reported; never the other way round.
    assert set(reported) <= set(sent)
    assert len(sent) - len(reported) <= 4
    assert len(sent) > 4
    assert outbox.job(job_id).state is JobState.WAITING
    outbox.close()
