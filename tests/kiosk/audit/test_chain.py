"""Any change to what was written is found, and the chain can be computed again from its description alone."""

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.audit import Head, Trail, Verification, verify
from kiosk.errors import TrailError
from tests.kiosk.audit.samples import filled, stored, tamper

COUNT = 30
CHANGES = {
    1: "UPDATE record SET body = ? WHERE sequence = ?",
    2: "UPDATE record SET hash = ? WHERE sequence = ?",
}
PLACES = st.integers(1, COUNT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail of 30 records that no test changes."""
    return filled(tmp_path_factory.mktemp("whole"), COUNT)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory for the copies that are."""
    return tmp_path_factory.mktemp("scratch")


def changed(whole: Path, scratch: Path, *statements: tuple[str, tuple[object, ...]]) -> Verification:
    copy = scratch / "trail.sqlite"
    shutil.copyfile(whole, copy)
    tamper(copy, *statements)
    return verify(copy)


def known_head(whole: Path) -> Head:
    sequence, _, value = stored(whole)[-1]
    return Head(sequence, value)


def test_an_untouched_trail_is_whole(whole: Path) -> None:
    found = verify(whole, known_head(whole))
    assert (found.whole, found.records, found.first_bad) == (True, COUNT, None)
    assert found.head == known_head(whole)
    assert found.kiosk_id == "kiosk-7"
    assert found.sentence.startswith("The chain is whole: 30 records")


def test_taking_the_triggers_away_and_putting_them_back_is_no_change(whole: Path, scratch: Path) -> None:
    assert changed(whole, scratch).whole


def test_the_chain_can_be_computed_from_its_description(whole: Path) -> None:
    with closing(sqlite3.connect(whole)) as connection:
        kiosk_id, nonce, key, commitment, version = connection.execute("SELECT * FROM meta").fetchone()
    name = hashlib.sha256(b"\x00" + kiosk_id.encode()).digest()
    value = hashlib.sha256(b"\x02" + version.to_bytes(8, "big") + name + nonce + key + commitment).digest()
    for sequence, body, recorded in stored(whole):
        leaf = hashlib.sha256(b"\x00" + body).digest()
        value = hashlib.sha256(b"\x01" + value + sequence.to_bytes(8, "big") + leaf).digest()
        assert value == recorded
    assert sequence == COUNT


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_is_found_at_its_record(whole: Path, scratch: Path, data: st.DataObject) -> None:
    place = data.draw(PLACES)
    column = data.draw(st.sampled_from([1, 2]))
    value = bytearray(stored(whole)[place - 1][column])
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    statement = CHANGES[column]
    found = changed(whole, scratch, (statement, (bytes(value), place)))
    assert not found.whole
    assert found.first_bad == place
    assert found.records == place - 1


@settings(max_examples=20, deadline=None)
@given(PLACES)
def test_a_deleted_record_is_found(whole: Path, scratch: Path, place: int) -> None:
    found = changed(whole, scratch, ("DELETE FROM record WHERE sequence = ?", (place,)))
    assert (found.whole, found.first_bad) == (False, place)


@settings(max_examples=20, deadline=None)
@given(PLACES)
def test_a_deleted_record_is_found_though_the_others_close_up(whole: Path, scratch: Path, place: int) -> None:
    statements = [("DELETE FROM record WHERE sequence = ?", (place,))]
    statements += [
        ("UPDATE record SET sequence = ? WHERE sequence = ?", (later - 1, later))
        for later in range(place + 1, COUNT + 1)
    ]
    found = changed(whole, scratch, *statements)
    assert (found.whole, found.first_bad) == (False, place)


@settings(max_examples=20, deadline=None)
@given(st.lists(PLACES, min_size=2, max_size=2, unique=True))
def test_swapped_records_are_found(whole: Path, scratch: Path, places: list[int]) -> None:
    first, second = sorted(places)
    found = changed(
        whole,
        scratch,
        ("UPDATE record SET sequence = -1 WHERE sequence = ?", (first,)),
        ("UPDATE record SET sequence = ? WHERE sequence = ?", (first, second)),
        ("UPDATE record SET sequence = ? WHERE sequence = -1", (second,)),
    )
    assert (found.whole, found.first_bad) == (False, first)


@settings(max_examples=20, deadline=None)
@given(PLACES, PLACES)
def test_an_inserted_record_is_found(whole: Path, scratch: Path, place: int, model: int) -> None:
    statements = [
        ("UPDATE record SET sequence = ? WHERE sequence = ?", (later + 1, later))
        for later in range(COUNT, place - 1, -1)
    ]
    copied = stored(whole)[model - 1]
    statements.append(("INSERT INTO record VALUES (?, ?, ?, zeroblob(16))", (place, copied[1], copied[2])))
    found = changed(whole, scratch, *statements)
    assert not found.whole
    assert found.first_bad in (place, place + 1)


@pytest.mark.parametrize("sequence", [0, -1, COUNT + 1, COUNT + 5, 2**62])
def test_a_record_outside_the_chain_is_found(whole: Path, scratch: Path, sequence: int) -> None:
    _, body, value = stored(whole)[0]
    statement = "INSERT INTO record VALUES (?, ?, ?, zeroblob(16))"
    assert not changed(whole, scratch, (statement, (sequence, body, value))).whole


def test_a_removed_last_record_is_found_by_the_head_in_the_file(whole: Path, scratch: Path) -> None:
    found = changed(whole, scratch, ("DELETE FROM record WHERE sequence = ?", (COUNT,)))
    assert (found.whole, found.first_bad) == (False, COUNT)


def test_a_trail_cut_with_its_head_is_found_only_by_a_head_known_elsewhere(whole: Path, scratch: Path) -> None:
    sequence, _, value = stored(whole)[COUNT - 4]
    assert changed(
        whole,
        scratch,
        ("DELETE FROM record WHERE sequence > ?", (sequence,)),
        ("UPDATE head SET sequence = ?, hash = ?", (sequence, value)),
        ("DELETE FROM open_intent WHERE sequence > ?", (sequence,)),
    ).whole
    found = verify(scratch / "trail.sqlite", known_head(whole))
    assert (found.whole, found.first_bad) == (False, sequence + 1)
    assert found.sentence == "Records from 28 to 30 are missing at the end."


def test_a_trail_written_anew_is_found_by_a_head_known_elsewhere(whole: Path, tmp_path: Path) -> None:
    other = filled(tmp_path, COUNT)
    assert verify(other).whole
    found = verify(other, known_head(whole))
    assert (found.whole, found.first_bad) == (False, COUNT)


def test_a_head_known_in_the_middle_must_lie_on_the_chain(whole: Path) -> None:
    sequence, _, value = stored(whole)[11]
    assert verify(whole, Head(sequence, value)).whole
    found = verify(whole, Head(sequence, bytes(32)))
    assert (found.whole, found.first_bad) == (False, sequence)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE meta SET kiosk_id = 'kiosk-8'", "UPDATE meta SET install_nonce = zeroblob(32)"],
)
def test_another_identity_breaks_the_chain_at_its_first_record(whole: Path, scratch: Path, statement: str) -> None:
    found = changed(whole, scratch, (statement, ()))
    assert (found.whole, found.first_bad) == (False, 1)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER record_is_fixed",
        "DROP TRIGGER record_stays",
        "CREATE TABLE more (x)",
        "ALTER TABLE open_intent ADD COLUMN more",
    ],
)
def test_a_file_without_its_guards_is_not_whole(whole: Path, tmp_path: Path, statement: str) -> None:
    copy = tmp_path / "trail.sqlite"
    shutil.copyfile(whole, copy)
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute(statement)
    assert not verify(copy).whole


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_anywhere_in_the_file_never_passes_for_other_records(
    whole: Path, scratch: Path, data: st.DataObject
) -> None:
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    copy = scratch / "damaged.sqlite"
    copy.write_bytes(content)
    try:
        found = verify(copy)
    except TrailError:
        return
    if found.whole:
        with Trail.read_only(copy) as damaged, Trail.read_only(whole) as original:
            assert list(damaged.read()) == list(original.read())


def test_a_file_that_is_no_trail_is_refused_in_words(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    other.write_bytes(b"not a database at all, but long enough to be read as the header of one: " * 20)
    with pytest.raises(TrailError, match="cannot be read"):
        verify(other)
    with pytest.raises(TrailError, match="There is no audit trail"):
        verify(tmp_path / "missing.sqlite")
    with closing(sqlite3.connect(tmp_path / "plain.sqlite")) as connection:
        connection.execute("CREATE TABLE meta (x)")
    with pytest.raises(TrailError, match="not an audit trail"):
        verify(tmp_path / "plain.sqlite")
