"""Checkpoints: when they are made, what they say, and that only their own key makes them."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.audit import Checkpoint, Entry, Keeper, KeeperRules, Occasion, Phase, RecordError, Trail, TrailRules, events
from kiosk.audit.signing import SigningKey, fingerprint, from_pem, to_pem
from kiosk.errors import TrailError
from tests.kiosk.audit.samples import ACTOR, KIOSK, RADIOLOGIST, SOURCE, ManualClock, event, trail_in

CHECKPOINTS = st.builds(
    Checkpoint,
    st.text(max_size=12).filter(lambda text: text.isprintable()),
    st.integers(1, 2**40),
    st.integers(0, 2**40),
    st.binary(min_size=32, max_size=32),
    st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 the strategy's own rule
    st.sampled_from(Occasion),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=64, max_size=64),
)


def sign_out() -> Entry:
    messages = events.logout(RADIOLOGIST, KIOSK, "Signed out")
    return Entry("sign_out", "s", Phase.EVENT, ACTOR, "Signed out", messages=messages)


class Seconds:
    """A monotonic clock to turn."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    with trail_in(tmp_path) as trail:
        yield trail


def occasions(trail: Trail) -> list[Occasion]:
    return [checkpoint.occasion for checkpoint in trail.checkpoints()]


@settings(max_examples=50, deadline=None)
@given(CHECKPOINTS)
def test_a_line_reads_back_as_it_was_written(checkpoint: Checkpoint) -> None:
    assert checkpoint.line().isascii()
    assert Checkpoint.from_line(checkpoint.line()) == checkpoint
    assert Checkpoint.from_body(checkpoint.body, checkpoint.signature) == checkpoint


@pytest.mark.parametrize("line", ["", "{}", "[]", "x", '{"format":"other"}', '{"format":"kiosk-trail-checkpoint-1"}'])
def test_a_line_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(RecordError):
        Checkpoint.from_line(line)


def test_a_checkpoint_says_how_far_the_trail_had_come(trail: Trail) -> None:
    trail.append(event(1))
    receipt = trail.append(event(2))
    first = trail.checkpoint(Occasion.BUSY)
    second = trail.checkpoint(Occasion.IDLE)
    assert (first.number, first.sequence, first.hash) == (1, 2, receipt.hash)
    assert (first.kiosk_id, first.previous) == ("kiosk-7", trail.identity.genesis)
    assert (second.number, second.sequence, second.previous) == (2, 2, first.digest)
    assert list(trail.checkpoints()) == [first, second]
    assert list(trail.checkpoints(2)) == [second]
    assert trail.status().checkpoint == second


def test_only_the_trails_own_key_signs_it(trail: Trail, tmp_path: Path) -> None:
    checkpoint = trail.checkpoint(Occasion.IDLE)
    assert checkpoint.is_signed_by(trail.identity.public_key)
    for other in (bytes(32), b"", SigningKey.create(tmp_path / "other.key").public_key()):
        assert not checkpoint.is_signed_by(other)


def test_openssl_verifies_a_checkpoint(trail: Trail, tmp_path: Path) -> None:
    checkpoint = trail.checkpoint(Occasion.IDLE)
    files = {"key.pem": to_pem(trail.identity.public_key).encode(), "body": checkpoint.body}
    for name, content in (files | {"signature": checkpoint.signature}).items():
        (tmp_path / name).write_bytes(content)
    asked = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key.pem",
        "-rawin",
        "-in",
        "body",
        "-sigfile",
        "signature",
    ]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_public_key_is_written_as_others_read_it(trail: Trail) -> None:
    key = trail.identity.public_key
    text = to_pem(key)
    assert load_pem_public_key(text.encode()).public_bytes(Encoding.Raw, PublicFormat.Raw) == key
    assert from_pem(text) == from_pem(key.hex()) == key
    assert len(fingerprint(key)) == 16
    for wrong in ("", "x" * 64, text[:40], text.replace("PUBLIC", "PRIVATE"), to_pem(key[:31])):
        with pytest.raises(TrailError, match="no Ed25519 public key"):
            from_pem(wrong)


def test_a_sign_out_is_sealed_in_the_same_moment(trail: Trail) -> None:
    trail.append(event(1))
    receipt = trail.append(sign_out())
    (checkpoint,) = trail.checkpoints()
    assert (checkpoint.occasion, checkpoint.sequence, checkpoint.hash) == (Occasion.SIGN_OUT, 2, receipt.hash)


def test_so_many_records_are_never_without_one(tmp_path: Path) -> None:
    rules = TrailRules(checkpoint_records=4)
    with Trail(tmp_path / "trail.db", "kiosk-7", SOURCE, ManualClock(), 0, rules=rules) as trail:
        for number in range(10):
            trail.append(event(number))
        assert [checkpoint.sequence for checkpoint in trail.checkpoints()] == [4, 8]
        assert set(occasions(trail)) == {Occasion.BUSY}


@pytest.fixture
def turned(trail: Trail) -> Callable[[float], list[Occasion]]:
    """Turns a keeper's clock forward and lets it look; gives the occasions so far."""
    seconds = Seconds()
    keeper = Keeper(trail, seconds, KeeperRules(busy_seconds=60, heartbeat_seconds=600))

    def turn(more: float) -> list[Occasion]:
        seconds.now += more
        keeper.turn()
        return occasions(trail)

    return turn


def test_the_keeper_seals_at_the_start_when_busy_and_when_idle(
    trail: Trail, turned: Callable[[float], list[Occasion]]
) -> None:
    start, busy, idle = Occasion.START, Occasion.BUSY, Occasion.IDLE
    assert turned(0) == [start]
    assert turned(599) == [start]
    assert turned(1) == [start, idle]
    trail.append(event(1))
    assert turned(10) == [start, idle]
    trail.append(event(2))
    assert turned(59) == [start, idle]
    assert turned(1) == [start, idle, busy]
    assert turned(599) == [start, idle, busy]
    assert turned(1) == [start, idle, busy, idle]


def test_the_keeper_seals_at_the_end(trail: Trail) -> None:
    keeper = Keeper(trail, Seconds(), KeeperRules(tick_seconds=0.01))
    keeper.start()
    keeper.stop()
    assert occasions(trail) == [Occasion.START, Occasion.STOP]


def test_a_signing_key_that_others_can_read_or_that_was_changed_is_refused(trail: Trail, tmp_path: Path) -> None:
    path = trail.path.with_name("trail.sqlite.keys") / "signing.key"
    trail.append(event(1))
    path.chmod(0o640)
    with pytest.raises(TrailError, match="open to others"):
        trail.checkpoint(Occasion.IDLE)
    path.chmod(0o600)
    path.write_bytes(bytes(32))
    trail.reopen()
    with pytest.raises(TrailError, match="not the one that this audit trail began with"):
        trail.checkpoint(Occasion.IDLE)
    path.unlink()
    trail.reopen()
    with pytest.raises(TrailError, match="signing key of the audit trail cannot be read"):
        trail.checkpoint(Occasion.IDLE)
    assert "SigningKey(…)" in repr(SigningKey(b"secret" * 5 + b"ab"))
