"""The kiosk's state in words."""

from datetime import UTC, datetime, timedelta

from kiosk.audit import Checkpoint, Head, Occasion, TrailStatus
from kiosk.audit.forward import SinkStatus
from kiosk.operations.facts import AuditDelivery
from kiosk.operations.status import KioskStatus, TrailSight
from kiosk.views.status import delivery_line, moment_text, sink_lines, status_lines, waiting_words

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=130)
HEAD = Head(1423, bytes.fromhex("9f2c51d07a3b4e6d") * 4)
WELL = SinkStatus("ARR", "tls", "arr.example:6514", 0, None, 1423, NOW)
FAILING = SinkStatus(
    "Lab\x1b[2J", "tcp", "127.0.0.1:601", 12, EARLIER, 1411, EARLIER, "Audit sink Lab: nobody listens.", EARLIER
)


def test_a_kiosk_that_is_well_says_so_in_few_lines() -> None:
    checkpoint = Checkpoint("kiosk-7", 41, 1420, b"\1" * 32, EARLIER, Occasion.SIGN_OUT, b"\2" * 32, b"\3" * 32)
    status = KioskStatus(NOW, "", TrailSight(TrailStatus("kiosk-7", HEAD, checkpoint=checkpoint), (WELL,)))
    assert status_lines(status) == (
        "In service: every act is recorded.",
        "Audit trail: 1423 records, head 9f2c51d07a3b4e6d",
        f"  Signed: checkpoint 41 at {moment_text(EARLIER, NOW)}, up to record 1420",
        "  Kept elsewhere: nowhere",
        "Sink ARR · tls · arr.example:6514",
        f"  everything is sent · last sent {moment_text(NOW, NOW)}",
    )


def test_everything_that_is_wrong_is_said_once() -> None:
    trail = TrailStatus("kiosk-7", HEAD, "The disk is full.", anchor_fault="The anchors cannot be written.")
    lines = status_lines(KioskStatus(NOW, "The disk is full.", TrailSight(trail, (FAILING,))))
    text = "\n".join(lines)
    assert lines[0] == "OUT OF SERVICE · The disk is full."
    assert text.count("The disk is full.") == 1
    assert "Signed: not yet" in text
    assert "Anchors: The anchors cannot be written." in text
    assert f"Failing since {moment_text(EARLIER, NOW)}: Audit sink Lab: nobody listens." in text
    assert "12 records wait, the oldest for 2 hours" in text
    assert "\x1b" not in text


def test_how_far_the_trail_is_kept_elsewhere_and_that_it_took_anothers_place_is_said() -> None:
    trail = TrailStatus("kiosk-7", HEAD, anchored=40, anchored_at=EARLIER, begun_anew=EARLIER)
    lines = status_lines(KioskStatus(NOW, "", TrailSight(trail, (WELL,))))
    at = moment_text(EARLIER, NOW)
    assert f"  Kept elsewhere: up to checkpoint 40, signed {at}" in lines
    assert f"  Begun anew: {at}: there was an audit trail here before, which is gone" in lines
    known = status_lines(KioskStatus(NOW, "", TrailSight(TrailStatus("kiosk-7", HEAD, anchored=1), (WELL,))))
    assert "  Kept elsewhere: up to checkpoint 1" in known


def test_a_sink_of_a_trail_that_nobody_can_read_says_that_its_depth_is_unknown() -> None:
    assert waiting_words(SinkStatus("ARR", "tls", "arr", None, None, 12), NOW) == "how much waits cannot be told"


def test_a_trail_that_cannot_be_read_and_a_kiosk_without_sinks_say_so() -> None:
    (_, line) = status_lines(KioskStatus(NOW, "", None, "The daemon does not answer."))
    assert line == "Audit trail: The audit trail cannot be read now: The daemon does not answer."
    assert "delivered nowhere" in status_lines(KioskStatus(NOW, "", TrailSight(TrailStatus("kiosk-7", HEAD))))[-1]


def test_what_a_sink_never_got_stays_in_its_status() -> None:
    behind = SinkStatus("ARR", "tls", "arr.example:6514", 1, NOW, 1422, pruned=900)
    assert sink_lines(behind, NOW) == (
        "1 record waits, the oldest for less than a second · nothing sent yet",
        "Records up to 900 were pruned before all of them were sent; they lie in the sealed segments.",
    )
    assert waiting_words(WELL, NOW) == "everything is sent"


def test_the_line_for_whoever_stands_there_says_since_when_and_that_they_can_go_on() -> None:
    assert delivery_line(AuditDelivery(), NOW) == ""
    line = delivery_line(AuditDelivery((FAILING,)), NOW)
    assert f"has got nothing since {moment_text(EARLIER, NOW)}." in line
    assert "12 records wait here; none is lost, and you can go on." in line
    assert "\x1b" not in line
    assert "1 more repository too" in delivery_line(AuditDelivery((FAILING, WELL)), NOW)
    assert "cannot be told" in delivery_line(AuditDelivery(fault="Permission denied."), NOW)


def test_a_time_of_another_day_bears_its_date() -> None:
    assert moment_text(NOW, NOW) == f"{NOW.astimezone():%H:%M}"
    before = NOW - timedelta(days=3)
    assert moment_text(before, NOW) == f"{before.astimezone():%Y-%m-%d %H:%M}"
