"""Whatever somebody does to the file is found: held against a second computation that shares no code with the first.

The forger is generous to himself: he takes the triggers away and puts them back, and chains what he writes correctly.
What he has not got is the signing key, the MAC keys of epochs that ended, and what is kept elsewhere.
"""

import hashlib
import hmac
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kiosk.audit import Checkpoint, Evidence, Occasion, verify
from tests.kiosk.audit.samples import event, tamper, trail_in

COUNT = 24
EVERY = 5
PLACES = st.integers(1, COUNT)
Statements = list[tuple[str, tuple[object, ...]]]


@dataclass(frozen=True)
class Sealed:
    """A trail that was written in order, what is kept of it elsewhere, and an older copy of it."""

    path: Path
    older: Path
    public_key: bytes
    first_key: bytes
    anchor: Checkpoint
    work: Path

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.public_key, (self.anchor,), first_mac_key=self.first_key)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """24 records, a checkpoint after every fifth and one at the end."""
    folder = tmp_path_factory.mktemp("sealed")
    with trail_in(folder) as trail:
        first, key = trail.escrow(), trail.identity.public_key
        for number in range(1, COUNT + 1):
            trail.append(event(number))
            if number % EVERY == 0:
                trail.checkpoint(Occasion.BUSY)
            if number == COUNT // 2:
                trail.close()
                shutil.copyfile(trail.path, folder / "older.db")
                trail.open()
        anchor = trail.checkpoint(Occasion.STOP)
    return Sealed(trail.path, folder / "older.db", key, first, anchor, folder / "work.db")


def oracle(path: Path, known: Sealed) -> int | None:
    """The first record that is bad or missing, after the description in the docstrings; None when there is none."""
    with closing(sqlite3.connect(path)) as connection:
        kiosk_id, nonce, public_key, commitment, version = connection.execute("SELECT * FROM meta").fetchone()
        records = {row[0]: row[1:] for row in connection.execute("SELECT sequence, body, hash, mac FROM record")}
        checkpoints = {row[0]: row[1:] for row in connection.execute("SELECT * FROM checkpoint")}
        ((last, head),) = connection.execute("SELECT sequence, hash FROM head").fetchall()
    if public_key != known.public_key or commitment != hashlib.sha256(b"\x03" + known.first_key).digest():
        return 1
    name = hashlib.sha256(b"\x00" + kiosk_id.encode()).digest()
    start = hashlib.sha256(b"\x02" + version.to_bytes(8, "big") + name + nonce + public_key + commitment).digest()
    value, key, number, before = start, known.first_key, 0, start
    for place in range(1, max([known.anchor.sequence, last, *records]) + 1):
        if place not in records:
            return place
        body, recorded, mac = records[place]
        value = hashlib.sha256(
            b"\x01" + value + place.to_bytes(8, "big") + hashlib.sha256(b"\x00" + body).digest()
        ).digest()
        if value != recorded or hmac.new(key, b"\x04" + value, "sha256").digest()[:16] != mac:
            return place
        while number + 1 in checkpoints and checkpoints[number + 1][0] == place:
            number += 1
            _, text, signature, seal = checkpoints[number]
            said = json.loads(text)
            expected = [kiosk_id, number, place, value.hex(), before.hex()]
            try:
                Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text)
            except InvalidSignature:
                return place
            if [said[field] for field in ("kiosk_id", "number", "sequence", "hash", "previous")] != expected:
                return place
            if hmac.new(key, b"\x05" + text, "sha256").digest()[:16] != seal:
                return place
            before = hashlib.sha256(text).digest()
            key = hmac.new(key, b"kiosk trail epoch" + number.to_bytes(8, "big"), "sha256").digest()
        if place == known.anchor.sequence and value != known.anchor.hash:
            return place
    return None if (last, head) == (max(records, default=0), value) and len(checkpoints) == number else last + 1


def judged(sealed: Sealed, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Does it to a copy: not whole, and the first bad record is the one that the oracle names."""
    shutil.copyfile(sealed.path, sealed.work)
    tamper(sealed.work, *statements)
    found = verify(sealed.work, evidence=sealed.evidence)
    expected = oracle(sealed.work, sealed)
    assert expected is not None
    assert not found.whole
    assert found.first_bad == expected, found.sentence


def content(sealed: Sealed) -> dict[int, tuple[bytes, bytes, bytes]]:
    with closing(sqlite3.connect(sealed.path)) as connection:
        return {row[0]: row[1:] for row in connection.execute("SELECT sequence, body, hash, mac FROM record")}


def genesis(sealed: Sealed) -> bytes:
    with closing(sqlite3.connect(sealed.path)) as connection:
        (text,) = connection.execute("SELECT body FROM checkpoint WHERE number = 1").fetchone()
    return bytes.fromhex(json.loads(text)["previous"])


def rewritten(sealed: Sealed, place: int, bodies: list[bytes]) -> Iterator[tuple[str, tuple[object, ...]]]:
    """From `place` on, these bodies instead, chained as they should be; with MACs that only look like some."""
    value = content(sealed)[place - 1][1] if place > 1 else genesis(sealed)
    yield "DELETE FROM record WHERE sequence >= ?", (place,)
    for sequence, body in enumerate(bodies, place):
        leaf = hashlib.sha256(b"\x00" + body).digest()
        value = hashlib.sha256(b"\x01" + value + sequence.to_bytes(8, "big") + leaf).digest()
        yield "INSERT INTO record VALUES (?, ?, ?, zeroblob(16))", (sequence, body, value)
    yield "UPDATE head SET sequence = ?, hash = ?", (place + len(bodies) - 1, value)


def test_the_oracle_and_the_verifier_agree_on_an_untouched_trail(sealed: Sealed) -> None:
    found = verify(sealed.path, evidence=sealed.evidence)
    assert (found.whole, found.records, found.checkpoints, found.anchors) == (True, COUNT, 5, 1)
    assert oracle(sealed.path, sealed) is None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_flipped_bit_of_a_record_is_found_there(sealed: Sealed, data: st.DataObject) -> None:
    place, column = data.draw(PLACES), data.draw(st.sampled_from(["body", "hash", "mac"]))
    value = bytearray(content(sealed)[place][("body", "hash", "mac").index(column)])
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    judged(sealed, (f"UPDATE record SET {column} = ? WHERE sequence = ?", (bytes(value), place)))  # noqa: S608 ours


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_flipped_bit_of_a_checkpoint_is_found_there(sealed: Sealed, data: st.DataObject) -> None:
    number, column = data.draw(st.integers(1, 5)), data.draw(st.sampled_from(["body", "signature", "mac"]))
    with closing(sqlite3.connect(sealed.path)) as connection:
        query = f"SELECT {column}, sequence FROM checkpoint WHERE number = ?"  # noqa: S608 ours
        blob, sequence = connection.execute(query, (number,)).fetchone()
    value = bytearray(blob)
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    shutil.copyfile(sealed.path, sealed.work)
    statement = f"UPDATE checkpoint SET {column} = ? WHERE number = ?"  # noqa: S608 ours
    tamper(sealed.work, (statement, (bytes(value), number)))
    found = verify(sealed.work, evidence=sealed.evidence)
    assert (found.whole, found.first_bad) == (False, sequence)


@settings(max_examples=24, deadline=None)
@given(PLACES, st.booleans())
def test_a_deleted_record_is_found(sealed: Sealed, place: int, closed_up: bool) -> None:
    statements: Statements = [("DELETE FROM record WHERE sequence = ?", (place,))]
    if closed_up:
        statements += [
            ("UPDATE record SET sequence = ? WHERE sequence = ?", (later - 1, later))
            for later in range(place + 1, COUNT + 1)
        ]
        statements.append(("UPDATE head SET sequence = ?", (COUNT - 1,)))
    judged(sealed, *statements)


@settings(max_examples=20, deadline=None)
@given(st.lists(PLACES, min_size=2, max_size=2, unique=True))
def test_swapped_records_are_found(sealed: Sealed, places: list[int]) -> None:
    judged(
        sealed,
        ("UPDATE record SET sequence = -1 WHERE sequence = ?", (places[0],)),
        ("UPDATE record SET sequence = ? WHERE sequence = ?", tuple(places)),
        ("UPDATE record SET sequence = ? WHERE sequence = -1", (places[1],)),
    )


@settings(max_examples=20, deadline=None)
@given(PLACES, PLACES)
def test_an_inserted_record_is_found_though_the_rest_is_chained_anew(sealed: Sealed, place: int, model: int) -> None:
    bodies = [body for sequence, (body, _, _) in sorted(content(sealed).items()) if sequence >= place]
    judged(sealed, *rewritten(sealed, place, [content(sealed)[model][0], *bodies]))


@settings(max_examples=24, deadline=None)
@given(PLACES, st.booleans())
@example(COUNT, True)
def test_a_trail_cut_at_its_end_is_found(sealed: Sealed, place: int, with_checkpoints: bool) -> None:
    value = content(sealed)[place - 1][1] if place > 1 else genesis(sealed)
    statements: Statements = [
        ("DELETE FROM record WHERE sequence >= ?", (place,)),
        ("UPDATE head SET sequence = ?, hash = ?", (place - 1, value)),
    ]
    if with_checkpoints:
        statements.append(("DELETE FROM checkpoint WHERE sequence >= ?", (place,)))
    judged(sealed, *statements)


@settings(max_examples=24, deadline=None)
@given(PLACES, st.booleans(), st.integers(0, 4))
def test_a_fork_is_found_where_it_begins(sealed: Sealed, place: int, with_checkpoints: bool, more: int) -> None:
    bodies = [content(sealed)[sequence][0].replace(b"Note", b"Nope") for sequence in range(place, COUNT + 1)]
    statements = list(rewritten(sealed, place, bodies + bodies[:1] * more))
    if with_checkpoints:
        statements.append(("DELETE FROM checkpoint WHERE sequence >= ?", (place,)))
    judged(sealed, *statements)


@settings(max_examples=24, deadline=None)
@given(PLACES, st.booleans())
def test_without_the_escrowed_key_a_fork_is_found_by_the_next_signature(
    sealed: Sealed, place: int, with_checkpoints: bool
) -> None:
    bodies = [content(sealed)[sequence][0].replace(b"Note", b"Nope") for sequence in range(place, COUNT + 1)]
    statements = list(rewritten(sealed, place, bodies))
    if with_checkpoints:
        statements.append(("DELETE FROM checkpoint WHERE sequence >= ?", (place,)))
    shutil.copyfile(sealed.path, sealed.work)
    tamper(sealed.work, *statements)
    anchored = verify(sealed.work, evidence=Evidence(anchors=(sealed.anchor,)))
    next_seal = min(place + -place % EVERY, COUNT)
    assert (anchored.whole, anchored.first_bad) == (False, COUNT if with_checkpoints else next_seal)
    alone = verify(sealed.work)
    assert alone.whole is with_checkpoints  # which is why checkpoints are kept elsewhere


def test_an_older_copy_is_found_by_an_anchor(sealed: Sealed) -> None:
    shutil.copyfile(sealed.older, sealed.work)
    assert verify(sealed.work).whole
    for evidence in (sealed.evidence, Evidence(anchors=(sealed.anchor,)), Evidence(head=sealed.anchor.head)):
        found = verify(sealed.work, evidence=evidence)
        assert (found.whole, found.foreign, found.first_bad) == (False, True, COUNT // 2 + 1)
    assert oracle(sealed.work, sealed) == COUNT // 2 + 1


@pytest.mark.parametrize("number", range(1, 6))
def test_a_missing_checkpoint_is_found(sealed: Sealed, number: int) -> None:
    shutil.copyfile(sealed.path, sealed.work)
    tamper(sealed.work, ("DELETE FROM checkpoint WHERE number = ?", (number,)))
    found = verify(sealed.work, evidence=sealed.evidence)
    assert not found.whole
    last = number == 5
    assert verify(sealed.work).whole is last  # the last one is missed only by what is kept elsewhere
    assert found.sentence == (
        "Checkpoint 5 is anchored elsewhere and missing here." if last else f"Checkpoint {number} is missing."
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE meta SET public_key = zeroblob(32)",
        "UPDATE meta SET mac_commitment = zeroblob(32)",
        "UPDATE meta SET kiosk_id = 'kiosk-8'",
        "UPDATE meta SET install_nonce = zeroblob(32)",
    ],
)
def test_another_beginning_is_found(sealed: Sealed, statement: str) -> None:
    shutil.copyfile(sealed.path, sealed.work)
    tamper(sealed.work, (statement, ()))
    assert not verify(sealed.work).whole
    assert not verify(sealed.work, evidence=sealed.evidence).whole
    assert oracle(sealed.work, sealed) == 1
