import pytest

from readers.credentials.challenge import Challenges
from readers.credentials.claim import Nonce
from readers.credentials.keys import RandomNonceSource
from readers.credentials.limits import TimeSpent
from readers.errors import ReaderError
from tests.readers.cards import ManualClock, RecordedNonces


def test_a_challenge_counts_once() -> None:
    challenge = Challenges(RecordedNonces(), ManualClock()).issue()
    assert challenge.redeem().value == challenge.value
    with pytest.raises(ReaderError, match="only once"):
        challenge.redeem()


def test_a_challenge_dies_of_age_and_stays_dead() -> None:
    clock = ManualClock()
    challenge = Challenges(RecordedNonces(), clock, lifetime=1.0).issue()
    clock.advance(1.01)
    with pytest.raises(TimeSpent):
        challenge.redeem()
    clock.advance(-1.0)
    with pytest.raises(ReaderError, match="only once"):
        challenge.redeem()


def test_a_nonce_source_that_repeats_itself_is_refused() -> None:
    class Stuck:
        def fresh(self) -> Nonce:
            return Nonce(bytes(16))

    challenges = Challenges(Stuck(), ManualClock())
    challenges.issue()
    with pytest.raises(ReaderError, match="repeated"):
        challenges.issue()


def test_a_nonce_of_another_size_is_refused() -> None:
    class Short:
        def fresh(self) -> Nonce:
            return Nonce(bytes(8))

    with pytest.raises(ReaderError, match="16 bytes"):
        Challenges(Short(), ManualClock()).issue()


def test_random_nonces_differ() -> None:
    source = RandomNonceSource()
    assert len({source.fresh().value for _ in range(1000)}) == 1000
