"""Which acts have not ended follows from the hashed records: nobody hides an open one, or invents one, in the file."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.audit import Entry, Month, Occasion, Phase, Retention, RetentionRules, Trail, store, verify, verify_segment
from kiosk.audit.decode import RecordError
from kiosk.audit.intents import OpenIntents
from kiosk.errors import TrailError
from tests.kiosk.audit.archives import MONTH
from tests.kiosk.audit.samples import ACTOR, SOURCE, ManualClock, event, intent, outcome, tamper, trail_in

HIDDEN = "Record {} of the audit trail began an act, and its file does not note that any more."
INVENTED = "Record {} of the audit trail is noted as an act that has not ended, and is none."
OTHERS = "The acts that the audit trail notes as not ended up to record 4 are not those that its last checkpoint was"


def busy(folder: Path) -> Path:
    """Records: 1 open, 2 and 3 an act, 4 open, a checkpoint, 5 open, 6 an event, 7 the end of 4."""
    with trail_in(folder) as trail:
        for entry in (intent("a"), intent("b"), outcome("b"), intent("c")):
            trail.append(entry)
        trail.checkpoint(Occasion.BUSY)
        for entry in (intent("d"), event(), outcome("c")):
            trail.append(entry)
    return trail.path


def open_acts(trail: Trail) -> list[str]:
    return [record.entry.act_id for record in trail.open_intents()]


def test_what_is_open_is_told_over_a_checkpoint_and_a_restart(tmp_path: Path) -> None:
    path = busy(tmp_path)
    with trail_in(tmp_path) as trail, Trail.read_only(path) as read:
        assert open_acts(trail) == ["a", "d"]
        assert [record.entry.act_id for record in read.open_intents()] == ["a", "d"]
        assert [one.sequence for one in verify(path).intents.all] == [1, 5]
        trail.append(outcome("a"))
        trail.checkpoint(Occasion.STOP)
    with trail_in(tmp_path) as trail:
        assert open_acts(trail) == ["d"]
    assert verify(path).whole


@pytest.mark.parametrize(
    ("statement", "opened", "verified"),
    [
        ("DELETE FROM open_intent WHERE sequence = 1", OTHERS, HIDDEN.format(1)),
        ("DELETE FROM open_intent WHERE sequence = 4", OTHERS, HIDDEN.format(4)),
        ("DELETE FROM open_intent WHERE sequence = 5", HIDDEN.format(5), HIDDEN.format(5)),
        ("DELETE FROM open_intent", OTHERS, HIDDEN.format(1)),
        ("UPDATE open_intent SET sequence = 2 WHERE sequence = 1", OTHERS, HIDDEN.format(1)),
        ("INSERT INTO open_intent VALUES (2, 1)", OTHERS, INVENTED.format(2)),
        ("INSERT INTO open_intent VALUES (3, 1)", INVENTED.format(3), INVENTED.format(3)),
        ("INSERT INTO open_intent VALUES (0, 1)", INVENTED.format(0), INVENTED.format(0)),
        ("INSERT INTO open_intent VALUES (6, 1)", INVENTED.format(6), INVENTED.format(6)),
        ("INSERT INTO open_intent VALUES (99, 1)", INVENTED.format(99), INVENTED.format(99)),
    ],
)
def test_an_act_that_was_hidden_or_invented_is_named_and_keeps_the_trail_closed(
    tmp_path: Path, statement: str, opened: str, verified: str
) -> None:
    path = busy(tmp_path)
    tamper(path, (statement, ()))
    with pytest.raises(TrailError) as refused:
        trail_in(tmp_path).open()
    assert opened in str(refused.value)
    found = verify(Path(shutil.copy(path, tmp_path / "copy.sqlite")))
    assert (found.whole, found.sentence) == (False, verified)
    with Trail.read_only(path) as read, pytest.raises(TrailError):
        read.open_intents()


def test_a_checkpoint_that_names_other_acts_is_no_checkpoint(tmp_path: Path) -> None:
    path = busy(tmp_path)
    empty = OpenIntents().digest.hex()
    with Trail.read_only(path) as read:
        (row,) = read.checkpoint_rows(1)
    body = row.body.replace(next(read_digest(row.body)), empty.encode("ascii"))
    tamper(path, ("UPDATE checkpoint SET body = ?", (body,)), ("DELETE FROM open_intent WHERE sequence < 5", ()))
    with pytest.raises(TrailError, match="Checkpoint 1 of the audit trail does not carry its signature"):
        trail_in(tmp_path).open()
    assert verify(path).sentence == "Checkpoint 1 after record 4 does not carry the trail's signature."


def read_digest(body: bytes) -> Iterator[bytes]:
    yield body.split(b'"open_intents":"')[1][:64]


def test_a_record_that_was_changed_to_be_no_intent_is_found_though_it_lies_far_back(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(intent("old"))
        for number in range(300):
            trail.append(event(number))
    tamper(
        trail.path, ("UPDATE record SET body = replace(body, 'Push to PACS', 'Push to PAKS') WHERE sequence = 1", ())
    )
    tamper(trail.path, ("UPDATE record SET body = CAST(body AS BLOB) WHERE sequence = 1", ()))
    with pytest.raises(TrailError, match="broken at record 1"):
        trail_in(tmp_path).open()


def test_an_act_that_is_hidden_while_the_trail_is_open_takes_it_out_of_service(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(intent("a"))
        tamper(trail.path, ("DELETE FROM open_intent", ()))
        with pytest.raises(TrailError, match="Record 1 of the audit trail began an act"):
            trail.open_intents()
        assert trail.status().failure
        with pytest.raises(TrailError):
            trail.append(event())


def test_opening_reads_no_more_than_what_no_checkpoint_covers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(intent("old"))
        for number in range(900):
            trail.append(event(number))
    read, rows = [], store.rows

    def counted(*arguments: object) -> list[store.Row]:
        found = rows(*arguments)  # type: ignore[arg-type]  # passed on as it came
        read.append(len(found))
        return found

    monkeypatch.setattr(store, "rows", counted)
    with trail_in(tmp_path) as trail:
        assert open_acts(trail) == ["old"]
    assert sum(read) < 700


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.sampled_from('ab"\\\u00e9')),
        st.tuples(st.just("end"), st.sampled_from('ab"\\\u00e9')),
        st.tuples(st.just("note"), st.just('"phase":"intent"')),
        st.tuples(st.just("seal"), st.just("")),
        st.tuples(st.just("reopen"), st.just("")),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_the_open_acts_are_those_begun_and_not_ended(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[tuple[str, str]]
) -> None:
    trail = trail_in(tmp_path_factory.mktemp("acts"))
    expected: list[str] = []
    with trail:
        for step, act_id in chosen:
            match step:
                case "begin":
                    trail.append(named(Phase.INTENT, act_id))
                    expected.append(act_id)
                case "end":
                    trail.append(outcome(act_id))
                    expected = [each for each in expected if each != act_id]
                case "note":
                    trail.append(named(Phase.EVENT, act_id))
                case "seal":
                    trail.checkpoint(Occasion.BUSY)
                case _:
                    trail.reopen()
        trail.reopen()
        assert open_acts(trail) == expected
        assert verify(trail.path).whole


def named(phase: Phase, text: str) -> Entry:
    """One in which text stands wherever it may, so that none of it passes for a field."""
    return Entry("push", text, phase, ACTOR, f'"phase":"outcome"{text}', details=((text, '{"act":"x","act_id":"y"'),))


def test_acts_that_reach_over_a_months_end_verify_in_segments_and_after_pruning(tmp_path: Path) -> None:
    clock = ManualClock()
    trail = Trail(tmp_path / "audit" / "trail.sqlite", "kiosk-7", SOURCE, clock)
    with trail:
        retention = Retention(trail, RetentionRules(tmp_path / "segments", 1), clock)
        trail.append(intent("over"))
        trail.append(event())
        clock.turn(MONTH)
        trail.checkpoint(Occasion.IDLE)
        trail.append(outcome("over"))
        trail.append(intent("left"))
        trail.checkpoint(Occasion.BUSY)
        for _ in range(3):
            clock.turn(MONTH)
            trail.append(event())
            trail.checkpoint(Occasion.IDLE)
        segments = retention.seal()
        assert [one.sequence for one in segments[0].last.intents] == [1]
        assert [one.act_id for one in segments[1].last.intents] == [b"left"]
        for segment in segments:
            found = verify_segment(retention.path(segment))
            assert found.whole, found.sentence
        assert [str(one.month) for one in retention.prune().segments] == [str(segments[0].month)]
        assert [one.act_id for one in trail.beginning().intents] == [b"over"]
        assert verify(trail.path).whole, verify(trail.path).sentence
        trail.reopen()
        assert open_acts(trail) == ["left"]
        assert trail.append(outcome("left"))
        assert Month.of(clock.now()) > segments[0].month


@pytest.mark.parametrize("body", [b"", b"{}", b'{"act":"a","act_id":"b","phase":"other"}', b'"phase":"intent"'])
def test_a_body_in_no_phase_is_no_record(body: bytes) -> None:
    with pytest.raises(RecordError):
        OpenIntents().take(1, body, bytes(32))
