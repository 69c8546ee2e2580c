"""The path of a pushed study: whole, or with every gap named."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.audit import (
    Custody,
    Entry,
    Evidence,
    Outcome,
    PatientRef,
    Phase,
    ReadOnlyTrail,
    Trail,
    path_lines,
    seal,
    trace,
    verify,
)
from tests.kiosk.audit.pushed_study import BADGE, JOB, UID, Step, noise, proof, recorded, steps, without
from tests.kiosk.audit.samples import SOURCE, ManualClock

GAPS = {
    "tap": "The tap with which the session began is not on record.",
    "tap's decision": "What was decided when the badge was tapped is not on record.",
    "PIN": "That a PIN was entered is not on record, only what came of it.",
    "PIN's decision": "That the PIN was right and the person was let in is not on record.",
    "query": "The beginning of the query that found the study is not on record.",
    "query's end": "The end of the query that found the study is not on record.",
    "push": "The beginning of the push is not on record.",
    "push's end": "The end of the push is not on record.",
    "delivery": "The beginning of the delivery is not on record.",
    "delivery's end": "The end of the delivery is not on record.",
    "confirmation": "The beginning of the confirmation is not on record.",
    "confirmation's end": "The end of the confirmation is not on record.",
}
OWED = "PACS owes storage commitment 2.25.77: it was asked for, and what came of it is not on record."
NOT_PART = {"sign-out", "sign-out's end"}

Change = Callable[[Entry], Entry]


def traced(folder: Path, chosen: dict[str, Step]) -> Custody:
    with recorded(folder, chosen) as trail:
        (found,) = trace(trail, UID)
    return found


def changed(name: str, change: Change) -> dict[str, Step]:
    return {**steps(), name: after(steps()[name], change)}


def after(step: Step, change: Change) -> Step:
    return lambda trail: change(step(trail))


def test_the_path_of_a_pushed_study_is_unbroken(tmp_path: Path) -> None:
    found = traced(tmp_path, steps())
    assert found.gaps == ()
    assert (found.job_id, found.destination, found.person, found.badge) == (JOB, "PACS", "a.weber", BADGE)
    assert [link.step for link in found.links] == [
        "tap",
        "proof",
        "decision",
        "PIN",
        "decision",
        "query",
        "query",
        "push",
        "push",
        "delivery",
        "delivery",
        "retrieve",
        "sent",
        "confirm",
        "confirm",
        "commitment",
    ]
    said = {link.step: link.said for link in found.links}
    assert said["retrieve"] == "12 instances came from ARCHIVE"
    assert said["commitment"] == "PACS keeps 12 instances, by storage commitment 2.25.77"
    assert said["proof"] == "ecdsa-p256-sha256 holds, signed over the chain as it stood at record 1"


def test_every_link_carries_number_time_and_hash_of_its_record(tmp_path: Path) -> None:
    with recorded(tmp_path, steps()) as trail:
        (found,) = trace(trail, UID)
        records = {record.sequence: record for record in trail.read()}
    for link in found.links:
        assert (link.time, link.hash) == (records[link.sequence].time, records[link.sequence].hash)


@pytest.mark.parametrize("name", steps())
def test_a_link_that_is_not_on_record_is_named(name: str, tmp_path: Path) -> None:
    with recorded(tmp_path, without(name)) as trail:
        (found,) = trace(trail, UID)
        assert verify(trail.path).whole  # nothing was taken out of it: it was never written
    named = () if name in NOT_PART else (GAPS[name],)
    assert found.gaps == ((*named, OWED) if name == "confirmation's end" else named)


def test_a_whole_act_that_is_not_on_record_is_named(tmp_path: Path) -> None:
    for place, (names, gap) in enumerate(
        (
            (("tap", "tap's decision"), "The tap with which the session began is not on record."),
            (("PIN", "PIN's decision"), "A PIN was needed, and that one was entered is not on record."),
            (("query", "query's end"), "The query that found the study is not on record."),
            (("push", "push's end"), "The push is not on record, only its delivery."),
            (("delivery", "delivery's end"), "The study was not delivered: no delivery of this push is on record."),
            (("confirmation", "confirmation's end"), OWED),
        )
    ):
        chosen = {key: step for key, step in steps().items() if key not in names}
        assert gap in traced(tmp_path / str(place), chosen).gaps


def test_a_push_that_does_not_say_how_the_study_was_found_is_named(tmp_path: Path) -> None:
    made = steps()
    for name in ("push", "push's end"):
        made[name] = after(made[name], _bare)
    assert traced(tmp_path, made).gaps == ("The push does not say which query found the study.",)


def _bare(entry: Entry) -> Entry:
    return without_details(entry, "found_by")


def test_a_delivery_that_does_not_say_what_was_retrieved_is_named(tmp_path: Path) -> None:
    made = changed("delivery's end", lambda entry: without_details(entry, "archive", "retrieved", "sent"))
    assert traced(tmp_path, made).gaps == ("The delivery does not say what was retrieved, and from where.",)


def test_a_delivery_that_failed_is_named(tmp_path: Path) -> None:
    made = changed("delivery's end", lambda entry: replace(entry, outcome=Outcome.SERIOUS, summary="0 of 12 instances"))
    assert traced(tmp_path, made).gaps == ("The delivery did not go through: 0 of 12 instances.",)


def test_a_second_attempt_that_goes_through_mends_the_first(tmp_path: Path) -> None:
    made = changed("delivery's end", lambda entry: replace(entry, outcome=Outcome.SERIOUS, summary="refused"))
    again = steps()
    for name in ("delivery", "delivery's end"):
        made[f"second {name}"] = after(again[name], lambda entry: replace(entry, act_id="act-again"))
    for name in ("confirmation", "confirmation's end"):
        made[name] = made.pop(name)
    found = traced(tmp_path, made)
    assert found.gaps == ()
    assert [link.step for link in found.links].count("delivery") == 4


def test_another_badge_on_the_way_is_named(tmp_path: Path) -> None:
    made = changed("push's end", lambda entry: replace(entry, actor=replace(entry.actor, badge=("uid:04FF",))))
    assert traced(tmp_path, made).gaps == ("The path leads over different badges.",)


def test_another_person_on_the_way_is_named(tmp_path: Path) -> None:
    made = changed("query's end", lambda entry: replace(entry, actor=replace(entry.actor, user_id="m.okafor")))
    assert traced(tmp_path, made).gaps == ("The path leads over different people.",)


def test_another_patient_on_the_way_is_named(tmp_path: Path) -> None:
    made = changed("delivery's end", lambda entry: replace(entry, patient=PatientRef("4711", "SOUTH", "Other")))
    assert traced(tmp_path, made).gaps == ("The push and its delivery name different patients.",)


def test_a_query_of_another_session_is_named(tmp_path: Path) -> None:
    made = steps()
    for name in ("query", "query's end"):
        made[name] = after(made[name], _elsewhere)
    assert traced(tmp_path, made).gaps == ("The query that found the study is of another session.",)


def _elsewhere(entry: Entry) -> Entry:
    return replace(entry, actor=replace(entry.actor, session_id="another"))


def test_a_path_that_does_not_lead_forward_is_named(tmp_path: Path) -> None:
    made = steps()
    query = {name: made.pop(name) for name in ("query", "query's end")}
    found = traced(tmp_path, {**made, **query})
    assert found.gaps == ("The path does not lead forward: something was done before what it follows from.",)


def test_a_proof_that_does_not_hold_is_named(tmp_path: Path) -> None:
    def spoil(entry: Entry) -> Entry:
        assert entry.proof is not None
        return replace(entry, proof=replace(entry.proof, signature=bytes(64)))

    found = traced(tmp_path, changed("tap", spoil))
    assert found.gaps == ("The proof in record 2 does not hold.",)


def test_a_proof_made_on_another_trail_is_named(tmp_path: Path) -> None:
    other = proof(hashlib.sha256(b"another trail").digest() + bytes(32))
    found = traced(tmp_path, changed("tap", lambda entry: replace(entry, proof=other)))
    assert found.gaps == ("The proof in record 2 was not made on this trail.",)


def test_a_proof_made_before_the_first_record_stands(tmp_path: Path) -> None:
    made = steps()
    trail = Trail(tmp_path / "t.sqlite", "kiosk-7", SOURCE, ManualClock())
    with trail:
        trail.append(made["tap"](trail))
        for step in list(made.values())[1:]:
            trail.append(step(trail))
        (found,) = trace(trail, UID)
    assert found.gaps == ()
    assert found.links[1].said.endswith("at record 0")


def test_a_badge_without_a_proof_is_no_gap_and_says_so(tmp_path: Path) -> None:
    found = traced(tmp_path, changed("tap", lambda entry: replace(entry, proof=None)))
    assert found.gaps == ()
    assert found.links[1].said == "none: this badge says a number and proves nothing"


def test_a_wrong_pin_before_the_right_one_is_part_of_the_path(tmp_path: Path) -> None:
    def wrong(entry: Entry) -> Entry:
        outcome = None if entry.phase is Phase.INTENT else Outcome.MINOR
        return replace(entry, act_id="act-wrong", outcome=outcome, messages=())

    made: dict[str, Step] = {}
    for name, step in steps().items():
        if name == "PIN":
            made["wrong PIN"] = after(step, wrong)
            made["wrong PIN's decision"] = after(steps()["PIN's decision"], wrong)
        made[name] = step
    found = traced(tmp_path, made)
    assert found.gaps == ()
    assert len(found.links) == 18


def without_details(entry: Entry, *keys: str) -> Entry:
    return replace(entry, details=tuple(pair for pair in entry.details if pair[0] not in keys))


def answered(*details: tuple[str, str]) -> dict[str, Step]:
    """The same push, whose confirmation says that of what the destination keeps."""
    keys = ("verify", "commitment")
    return changed(
        "confirmation's end",
        lambda entry: replace(
            without_details(entry, *keys), details=(*without_details(entry, *keys).details, *details)
        ),
    )


COMMITMENT, QUERY = ("verify", "commitment"), ("verify", "query")
ANSWERS: dict[str, tuple[tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]]] = {
    "listed": (
        (QUERY, ("listed", "12")),
        ("PACS lists 12 instances when it is asked at image level",),
        (),
    ),
    "commitment in two parts": (
        (COMMITMENT, ("commitment", "2.25.77 11"), ("commitment", "2.25.78 1")),
        (
            "PACS keeps 11 instances, by storage commitment 2.25.77",
            "PACS keeps 1 instance, by storage commitment 2.25.78",
        ),
        (),
    ),
    "not promised": (
        (("verify", "none"),),
        ("none: PACS is not to be asked whether it keeps what it is sent",),
        (),
    ),
    "asked and missing": (
        (COMMITMENT, ("commitment_owed", "2.25.77"), ("listed", "12")),
        ("PACS lists 12 instances when it is asked at image level",),
        (OWED,),
    ),
    "partial": (
        (COMMITMENT, ("commitment", "2.25.77 9")),
        ("PACS keeps 9 instances, by storage commitment 2.25.77",),
        ("Whether PACS keeps 3 instances that it was sent is not on record.",),
    ),
    "failed": (
        (COMMITMENT, ("commitment", "2.25.77 12"), ("not_committed", "2.25.77 2")),
        ("PACS keeps 12 instances, by storage commitment 2.25.77",),
        ("PACS does not keep 2 instances that it was sent: storage commitment 2.25.77.",),
    ),
    "lost": (
        (QUERY, ("listed", "12"), ("not_listed", "1")),
        ("PACS lists 12 instances when it is asked at image level",),
        ("PACS does not list 1 instance that it was sent.",),
    ),
    "cannot be asked": (
        (COMMITMENT, ("unasked", "12")),
        (),
        ("PACS cannot be asked whether it keeps 12 instances that it was sent.",),
    ),
    "says nothing": (
        (),
        (),
        ("The record does not say whether PACS keeps what it was sent.",),
    ),
    "no number": (
        (QUERY, ("listed", "\u0661\u0662")),
        (),
        ("Whether PACS keeps 12 instances that it was sent is not on record.",),
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_the_destination_says_of_keeping_it_is_a_link_or_a_gap(name: str, tmp_path: Path) -> None:
    details, said, gaps = ANSWERS[name]
    found = traced(tmp_path, answered(*details))
    assert tuple(link.said for link in found.links if link.step in ("commitment", "listed")) == said
    assert found.gaps == gaps


def test_a_confirmation_in_another_name_is_named(tmp_path: Path) -> None:
    made = changed("confirmation's end", lambda entry: replace(entry, actor=replace(entry.actor, user_id="m.okafor")))
    assert traced(tmp_path, made).gaps == ("Who confirmed the delivery is not who delivered.",)


def test_a_confirmation_before_the_delivery_is_named(tmp_path: Path) -> None:
    made = steps()
    delivery = {name: made.pop(name) for name in ("delivery", "delivery's end")}
    assert "The confirmation stands before the delivery." in traced(tmp_path, {**made, **delivery}).gaps


def test_every_push_of_a_study_has_a_path_of_its_own(tmp_path: Path) -> None:
    made = steps()
    for name in ("push", "push's end", "delivery", "delivery's end", "confirmation", "confirmation's end"):
        made[f"second {name}"] = after(made[name], _second)
    with recorded(tmp_path, made) as trail:
        found = trace(trail, UID)
    assert [(path.job_id, path.gaps) for path in found] == [(JOB, ()), ("0ther", ())]


def _second(entry: Entry) -> Entry:
    details = tuple((key, "0ther" if key == "job" else value) for key, value in entry.details)
    return replace(entry, act_id=f"{entry.act_id}-2", details=details)


def test_a_study_that_was_never_pushed_has_no_path(tmp_path: Path) -> None:
    with recorded(tmp_path, steps()) as trail:
        assert trace(trail, "1.2.3") == ()


def test_a_copy_and_the_public_key_are_enough(tmp_path: Path) -> None:
    with recorded(tmp_path, steps()) as trail:
        key = trail.identity.public_key
    copy = Path(shutil.copy(trail.path, tmp_path / "copy.sqlite"))
    assert verify(copy, evidence=Evidence(key)).whole
    with ReadOnlyTrail(copy) as alone:
        (found,) = trace(alone, UID)
        assert seal(alone.checkpoints(), found) == 1
    *_, last = path_lines(found, 1)
    assert last == "The path is unbroken: 12 records, signed for by checkpoint 1."


def test_records_that_no_checkpoint_signs_for_are_a_gap(tmp_path: Path) -> None:
    chosen = steps()
    end = chosen.pop("confirmation's end")
    with recorded(tmp_path, chosen) as trail:
        place = trail.append(end(trail)).sequence
        (found,) = trace(trail, UID)
        assert seal(trail.checkpoints(), found) is None
    assert list(path_lines(found, None))[-1] == f"Gap: no checkpoint signs for record {place} yet."


def test_the_lines_show_no_patient_and_every_hash_whole(tmp_path: Path) -> None:
    found = traced(tmp_path, steps())
    text = "\n".join(path_lines(found, 3))
    assert "Planted" not in text
    assert "4711" not in text
    assert all(link.hash.hex() in text for link in found.links)
    assert f"Push {JOB} to PACS by a.weber, {';'.join(BADGE)}" in text


def test_hostile_text_stays_on_its_line(tmp_path: Path) -> None:
    made = changed("push's end", lambda entry: replace(entry, summary="x\x1b[2J\r\nGap: none\u202e"))
    for line in path_lines(traced(tmp_path, made), None):
        assert line.isprintable()


def test_the_noise_of_a_kiosk_is_no_part_of_it(tmp_path: Path) -> None:
    with recorded(tmp_path, steps()) as trail:
        for number in range(100, 400):
            trail.append(noise(number))
        (found,) = trace(trail, UID)
    assert all("noise" not in link.said and link.said != "Open study" for link in found.links)
