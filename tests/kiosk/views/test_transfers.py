"""Pushes in words: the question before, the bar while they run, what went wrong after."""

from dataclasses import replace

import pytest

from kiosk.errors import Cancelled, PeerRefused
from kiosk.operations.facts import BadgeView, FailedInstance, PersonView, PinAsked, TransferProgress, TransferState
from kiosk.operations.operations import Destination
from kiosk.views.push import PushPlan, amount_line, patient_lines, push_question
from kiosk.views.quantities import duration_text, rate_text, size_text
from kiosk.views.refusals import refusal
from kiosk.views.session import idle_warning_text, pin_attempts_text, pin_question
from kiosk.views.transfers import (
    TRANSFER_COLUMNS,
    done_share,
    failures_line,
    may_cancel,
    may_retry,
    most_pressing,
    transfer_cells,
    transfer_line,
)
from tests import phantoms

TO = Destination("Workstation", "WS")


def _transfer(state: TransferState, job: str = "job", **changes: object) -> TransferProgress:
    values: dict[str, object] = {
        "instances_total": 120, "instances_fetched": 120, "instances_done": 30, "instances_failed": 0,
        "bytes_total": 60_000_000, "bytes_done": 15_000_000, "rate": 4_200_000.0, "seconds_left": 10.7,
    } | changes  # fmt: skip
    return TransferProgress("s", job, state, phantoms.PATIENTS[0], "CT Head", "Workstation", **values)  # type: ignore[arg-type]  # named fields


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_400_000, "1.4 MB"), (999_600_000, "1.0 GB"), (2.5e15, "2500 TB")],
)
def test_sizes_are_short(count: float, text: str) -> None:
    assert size_text(count) == text


def test_rates_and_durations() -> None:
    assert rate_text(3_200_000) == "3.2 MB/s"
    assert [duration_text(seconds) for seconds in (-1, 0, 42.9, 725, 3723)] == [
        "0:00", "0:00", "0:42", "12:05", "1:02:03",
    ]  # fmt: skip


def test_a_running_transfer_says_instances_bytes_rate_and_what_is_left() -> None:
    assert transfer_line(_transfer(TransferState.SENDING)) == (
        "sending to Workstation · 30/120 instances · 15.0 MB / 60.0 MB · 4.2 MB/s · 90 instances left, 0:10"
    )


def test_a_transfer_that_is_over_has_neither_rate_nor_rest() -> None:
    line = transfer_line(_transfer(TransferState.DELIVERED, instances_done=120, seconds_left=None))
    assert "MB/s" not in line
    assert "left" not in line
    assert line.startswith("delivered to Workstation")


def test_what_went_and_is_not_confirmed_yet_says_so_and_leaves_nothing() -> None:
    line = transfer_line(_transfer(TransferState.CONFIRMING, instances_done=120, seconds_left=None))
    assert line.startswith("confirming to Workstation")
    assert "left" not in line


def test_the_reason_of_the_first_failure_is_named_and_the_others_are_counted() -> None:
    failures = (FailedInstance("1.2.3", "out of resources (A700)"), FailedInstance("1.2.4", "x"))
    transfer = _transfer(TransferState.FAILED, instances_failed=7, failures=failures)
    assert failures_line(transfer) == "failed: 1.2.3: out of resources (A700) · and 6 more"


@pytest.mark.parametrize("state", list(TransferState))
def test_what_runs_may_be_stopped_and_what_failed_may_be_retried(state: TransferState) -> None:
    assert may_cancel(_transfer(state)) is (state.value in ("queued", "fetching", "sending", "confirming"))
    assert may_retry(_transfer(state)) is (state.value in ("failed", "cancelled"))
    assert len(transfer_cells(_transfer(state))) == len(TRANSFER_COLUMNS)


def test_the_bar_shows_what_runs_before_what_waits_before_what_is_over() -> None:
    over, waiting = _transfer(TransferState.FAILED, "a"), _transfer(TransferState.WAITING, "b")
    confirming = _transfer(TransferState.CONFIRMING, "e", instances_done=120)
    sending, later = _transfer(TransferState.SENDING, "c"), _transfer(TransferState.DELIVERED, "d")
    assert most_pressing([]) is None
    assert most_pressing([over, waiting, sending, later]) is sending
    assert most_pressing([over, confirming, waiting, later]) is waiting
    assert most_pressing([over, confirming, later]) is confirming
    assert most_pressing([over, later]) is later


def test_the_share_that_is_done_is_never_more_than_all() -> None:
    assert done_share(_transfer(TransferState.SENDING)) == 0.25
    assert done_share(_transfer(TransferState.SENDING, bytes_done=10**9)) == 1.0
    assert done_share(_transfer(TransferState.WAITING, bytes_total=0, instances_total=0)) == 0.0


def test_the_question_names_patients_amount_and_destination() -> None:
    plan = PushPlan((phantoms.study(0), phantoms.study(1)))
    assert push_question(plan, TO) == "Push 2 studies · 7 series · 320 instances to Workstation (WS)?"
    assert push_question(plan) == "Push 2 studies · 7 series · 320 instances: choose a destination."
    to_each = push_question(plan, TO, replace(TO, name="Archive", ae_title="PACS"))
    assert to_each.endswith(" to each of 2 destinations: Workstation (WS), Archive (PACS)?")
    assert len(patient_lines(plan)) == 2
    assert "ID P-1001 (Hospital A)" in patient_lines(plan)[0]


def test_an_unknown_count_is_not_taken_for_nothing() -> None:
    assert amount_line(PushPlan((phantoms.study(0), phantoms.study(3)))) == "2 studies · 4 series · ? instances"


def test_the_same_id_from_two_issuers_is_two_patients_and_no_id_is_nobody_twice() -> None:
    one, other = phantoms.PATIENTS[0], phantoms.PATIENTS[4]
    plan = PushPlan((phantoms.study(0, one), phantoms.study(5, other), phantoms.study(10, one)))
    assert plan.patients == (one, other)
    nameless = phantoms.hostile_study("").patient
    assert len(PushPlan((phantoms.study(0, nameless), phantoms.study(1, nameless))).patients) == 2


def test_many_patients_are_counted_after_the_first() -> None:
    plan = PushPlan(tuple(phantoms.study(number) for number in range(6)))
    assert patient_lines(plan, 4)[-1] == "and 2 more patients"


def test_chosen_series_make_one_request_with_their_uids() -> None:
    study = phantoms.study(0)
    series = phantoms.series_of(study)
    (request,) = PushPlan((study,), series[1:]).requests(TO)
    assert request.series_instance_uids == tuple(one.series_instance_uid for one in series[1:])
    assert request.expected_instances == 80
    assert request.destination == "Workstation"


def test_refusals_are_sentences_on_one_plain_line() -> None:
    assert refusal(Cancelled()) == "Cancelled."
    assert refusal(PeerRefused("ARCHIVE refused:\n\x1b[31mno")) == "ARCHIVE refused: no"
    assert refusal(PeerRefused("")) != ""


def test_the_pin_box_says_whose_why_again_and_how_often_still() -> None:
    asked = PinAsked("c", PersonView("a", "Dr Ada", "radiologist"), BadgeView("badge", "…A1B2"), 1, "Not right.")
    assert pin_question(asked) == "PIN of Dr Ada, badge …A1B2"
    assert pin_attempts_text(asked) == "Not right. · 1 try left"
    assert idle_warning_text(1).endswith("in 1 second.")
