"""The main job in lines."""

import time
from dataclasses import replace

import pytest

from kiosk.audit.forward import SinkStatus
from kiosk.errors import PeerUnreachable, StorageFull
from kiosk.imaging.lookups import Level, Lookup, Match, Root
from kiosk.operations.facts import AuditDelivery, EndReason, FailedInstance, IdleWarning, OutOfService, ReaderHealth
from kiosk.operations.operations import PushRequest
from tests import phantoms
from tests.fakes import PIN, Script
from tests.kiosk.plain.kit import PATIENCE, line


def test_the_whole_job_from_tap_to_sign_out() -> None:
    with line() as person:
        person.sign_in()
        person.type('query name=Doe date="7 days" modality=CT')
        person.until("30 studies")
        person.until("4. 2026-02-26, 11:03, Yamada, Tarou · 山田 太郎")
        since = person.type("open 4")
        person.until("Yamada, Tarou · 山田 太郎 · born 1999-12-31 · ID P-1004 (Hospital A) · male", since)
        person.type("series 1")
        person.until("ordered by position along the slice normal")
        person.type("tags 1 patientname")
        person.until("(0010,0010)  PatientName  PN  1  Yamada^Tarou=山田^太郎")
        person.type("select 1", "push workstation")
        person.until("Push 1 study · 1 series · 2 instances to Workstation (WORKSTATION)?")
        person.type("yes")
        person.until("In the outbox.")
        assert len(person.fake.called("push")) == 1
        person.type("sign out")
        person.until("You signed out.")
        assert person.hang_up() == 0
        query = person.fake.queries[0][0]
        assert (query.patient_name, query.modalities) == ("Doe*", ("CT",))


def test_without_a_session_nothing_can_be_asked() -> None:
    with line() as person:
        person.until("Tap your badge or phone")
        since = person.type("query", "open 1", "transfers", "help")
        person.until("ask the archive", since)
        assert person.text(since).count("Locked.") == 3
        assert person.fake.called("query") == []


def test_a_wrong_pin_is_asked_again_and_an_empty_line_gives_up() -> None:
    with line() as person:
        person.until("Tap your badge or phone")
        person.type("tap radiologist-badge")
        person.until("PIN of Dr Ada")
        person.type("000000")
        person.until("That PIN is not right. · 4 tries left")
        person.type("")
        person.hang_up()
        assert len(person.fake.called("abandon_pin")) == 1
        assert "000000" not in person.text()


def test_the_pin_belongs_to_its_claim() -> None:
    with line() as person:
        person.until("Tap your badge or phone")
        person.type("tap radiologist-badge")
        person.until("PIN of Dr Ada")
        person.type("tap technologist-badge")
        person.until("PIN of Tom Okafor")
        person.type(PIN)
        person.until("Signed in: Tom Okafor")


def test_another_command_waits_for_the_act_that_runs_and_cancel_does_not() -> None:
    with line(Script(hanging={"query"})) as person:
        person.sign_in()
        since = person.type("query")
        assert person.fake.hangs.wait(PATIENCE)
        person.type("cancel")
        person.until("Cancelled.", since)
        assert person.fake.queries[0][1].is_set()
        person.type("list")
        person.until("30. ", since)


def test_errors_are_sentences_and_the_next_command_works() -> None:
    script = Script(failing={"query": PeerUnreachable("Main archive (ARCHIVE) does not answer.")})
    with line(script) as person:
        person.sign_in()
        person.type("query")
        person.until("Main archive (ARCHIVE) does not answer.")
        script.failing.clear()
        person.type("query")
        person.until("30 studies")


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("query colour=red", "Fields are: name=…"),
        ("query date=31.1.26", "This date is not understood"),
        ("open 0", "Numbers from 1 to 30"),
        ("open ٣", "Numbers from 1 to 30"),
        ("open", "Numbers from 1 to 30"),
        ("series 1", "There is nothing to choose from."),
        ("tags 1", "There is nothing to choose from."),
        ("list sort=colour", "Columns are: date"),
        ("push nowhere", "Open a study or select some first."),
        ("retry 1", "There is nothing to choose from."),
        ("cancel", "Nothing runs."),
        ('open "1', "A quote is not closed."),
        ("dance", '"dance" is not known here.'),
    ],
)
def test_what_cannot_be_done_is_answered_with_what_can(typed: str, answer: str) -> None:
    with line() as person:
        person.sign_in()
        person.type("query")
        person.until("30 studies")
        person.type("list", typed)
        person.until(answer)


def test_rows_can_be_sorted_by_any_column() -> None:
    with line() as person:
        person.sign_in()
        person.type("query")
        person.until("30 studies")
        since = person.type("list sort=name")
        person.until("1. 2026-03-01, 08:00, Berg, Ingrid M", since)
        person.until("30. ", since)
        since = person.type("list sort=name")
        assert "Yamada" in person.until("1. 2026-", since)


def test_no_to_the_question_pushes_nothing() -> None:
    with line() as person:
        person.sign_in()
        person.type("query", "select 1 2", "push 2")
        person.until("to Teaching files (TEACHING)?")
        person.until("Ivanov, Sergei")
        person.type("no")
        person.until("Nothing was pushed.")
        assert person.fake.called("push") == []


def test_one_push_goes_to_several_destinations() -> None:
    with line() as person:
        person.sign_in()
        person.type("query", "select 1 2", "push 2 nowhere")
        person.until("Name one of these destinations or several, or their numbers:")
        person.type("push workstation 2 2")
        person.until("to each of 2 destinations: Workstation (WORKSTATION), Teaching files (TEACHING)?")
        person.type("yes")
        person.until("In the outbox.")
        pushed = [request.destination for request, _ in person.fake.jobs.values()]
        assert sorted(pushed) == ["Teaching files", "Teaching files", "Workstation", "Workstation"]


def test_a_push_that_stops_half_way_says_how_far_it_got() -> None:
    with line() as person:
        person.sign_in()
        person.fake.script.failing["push to Teaching files"] = StorageFull("The outbox is full.")
        person.type("query", "select 1", 'push "teaching files" workstation', "yes")
        person.until("The outbox is full.")
        since = person.type("push workstation teaching", "yes")
        person.until("1 of 2 pushes are in the outbox.", since)


def test_transfers_are_told_as_they_go_failures_named_and_retried() -> None:
    with line() as person:
        person.sign_in()
        person.type("query", "select 1", "push workstation", "yes")
        person.until("In the outbox.")
        ((_session, request),) = person.fake.called("push")
        assert isinstance(request, PushRequest)
        job = next(iter(person.fake.jobs))
        person.fake.advance(job, 60)
        person.until("transfer 1: sending to Workstation · 60/120 instances")
        person.fake.advance(job, 119, (FailedInstance("1.2.3", "out of resources (A700)"),))
        person.until("failed: 1.2.3: out of resources (A700)")
        person.type("retry 1", "transfers")
        person.until("Berg, Ingrid M · P-1001 (Hospital A)")
        person.type("cancel 1")
        person.until("cancelled to Workstation")
        assert [call[1] for call in person.fake.called("retry_push")] == [job]
        assert [call[1] for call in person.fake.called("cancel_push")] == [job]


def test_idling_is_warned_once_and_any_line_is_a_touch() -> None:
    with line() as person:
        person.sign_in()
        assert person.fake.session is not None
        session_id = person.fake.session.session_id
        for seconds in (20, 19, 18):
            person.fake.post(IdleWarning(session_id, seconds))
        person.until("locks in 20 seconds. Press Enter to go on.")
        person.type("", "help")
        person.until("ask the archive")
        assert person.text().count("Are you still there?") == 1
        assert person.fake.called("touch")


def test_displaced_the_shell_locks_and_forgets_and_a_running_act_prints_nothing_more() -> None:
    with line(Script(row_delay=0.02)) as person:
        person.sign_in()
        since = person.type("query")
        person.until("Asking the archive", since)
        person.await_that(lambda: person.fake.queries)
        person.fake.end(EndReason.DISPLACED, "Another badge took over.")
        person.until("Another badge took over.", since)
        cancel = person.fake.queries[0][1]
        assert cancel.wait(PATIENCE)
        time.sleep(0.2)
        assert "Berg" not in person.text(since)
        since = person.type("list")
        person.until("Locked.", since)


def test_reader_faults_and_out_of_service_are_told() -> None:
    with line() as person:
        person.sign_in()
        person.fake.post(ReaderHealth(False, "Reader", "The reader was unplugged."))
        person.until("The reader was unplugged.")
        person.fake.post(OutOfService("The audit trail cannot be written."))
        person.until("OUT OF SERVICE · The audit trail cannot be written.")
        since = person.type("query")
        person.until("Locked.", since)
        person.fake.post(OutOfService(""))
        person.until("In service again.", since)


def test_hostile_text_is_printed_plain() -> None:
    with line(Script([phantoms.hostile_study()])) as person:
        person.sign_in()
        person.type("query", "open 1", "series 1")
        person.until("ordered by")
        text = person.text()
        assert "EVILx[@click=app.bell]HIT[/]" in text
        for planted in ("\x1b", "\x9b", "\x07", "\u202e", "\u2066", "\x08", "\x00"):
            assert planted not in text


def test_the_end_of_the_input_signs_out() -> None:
    with line() as person:
        person.sign_in()
        assert person.hang_up() == 0
        assert len(person.fake.called("sign_out")) == 1


def test_status_needs_no_badge() -> None:
    with line() as person:
        person.until("Tap your badge or phone")
        since = person.type("status")
        person.until("In service: every act is recorded.", since)
        person.until("Audit trail: 4 records, head 9f2c9f2c9f2c9f2c", since)


def test_a_repository_that_lags_is_said_once_and_so_is_the_end_of_it() -> None:
    sink = SinkStatus("ARR", "tls", "arr.example:6514", 3, None, 1, fault="Audit sink ARR: it is off.")
    with line() as person:
        person.until("Tap your badge or phone")
        for waiting in (3, 4, 5):
            person.fake.post(AuditDelivery((replace(sink, waiting=waiting),)))
        person.until("The audit repository ARR has got nothing")
        person.fake.post(AuditDelivery())
        person.until("The audit trail is delivered again.")
        assert person.text().count("records wait here") == 1


def test_a_lagging_repository_takes_no_pin_box_away() -> None:
    with line() as person:
        person.until("Tap your badge or phone")
        person.type("tap radiologist-badge")
        person.until("PIN of Dr Ada")
        person.fake.post(AuditDelivery(fault="Permission denied."))
        person.until("cannot be told")
        person.type(PIN)
        person.until("Signed in: Dr Ada Lindqvist")


def test_more_asks_for_the_next_page() -> None:
    with line(Script(page=20)) as person:
        person.sign_in()
        since = person.type("more")
        person.until("no query to go on with", since)
        since = person.type("query")
        person.until("There are more", since)
        since = person.type("more")
        person.until("30. ", since)
        assert [query.pages for query, _ in person.fake.queries] == [1, 2]


def test_find_asks_one_archive_at_any_level() -> None:
    match = Match((("PatientID", "P1"), ("NumberOfPatientRelatedStudies", "")))
    with line(Script(matches=(match,))) as person:
        person.sign_in()
        since = person.type("find patient archive=MAIN PatientName=Doe*")
        person.until("1. PatientID P1, NumberOfPatientRelatedStudies ?", since)
        person.until("1 match", since)
        lookup = Lookup(Root.PATIENT, Level.PATIENT, (("PatientName", "Doe*"),))
        assert person.fake.calls[-1][-2:] == ("MAIN", lookup)
        since = person.type("find study root=study Modality=CT")
        person.until("below STUDY", since)
        since = person.type("find wards")
        person.until("Levels are: patient, study, series, image", since)
