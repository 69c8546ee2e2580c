"""Card keys and personalised cards on record: the UID whole, and never a key."""

from collections.abc import Callable, Generator
from threading import Event

import pytest

from kiosk.audit import Outcome, Phase, codes
from kiosk.errors import Cancelled, KioskError
from kiosk.operations.issue_cards import MakeKeys, PersonaliseCard
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import System
from readers.credentials.desfire_personalise import Personalised, Progress, Step, personalise
from readers.credentials.desfire_state import NotPersonalisable
from readers.errors import CardGone, ReaderError, TransmitFailed
from readers.virtual.desfire_card import DesfireCard, blank
from readers.virtual.torn_card import TornCard
from tests.kiosk.operations.ledgers import MemoryLedger
from tests.readers.cards import presented
from tests.readers.credentials.aes_cards import UID
from tests.readers.credentials.desfire_blanks import FOREIGN_KEYS, HIDING, ISSUE, ISSUING_KEYS, KEYS, written

BY = System("unix:alice")
Work = Callable[[], Generator[Progress, None, Personalised]]


def act(work: Work) -> PersonaliseCard:
    return PersonaliseCard(UID, "F51234", work)


def performed(ledger: MemoryLedger, work: Work, cancel: Event | None = None) -> Personalised:
    return finish(perform(Desk(ledger, lambda _: False), BY, act(work), cancel))


def test_a_card_is_on_record_with_its_uid_and_without_a_key() -> None:
    ledger = MemoryLedger()
    with presented(blank(UID)) as card:
        done = performed(ledger, lambda: personalise(card, HIDING, KEYS, UID))
    intent, outcome = ledger.entries
    assert (intent.phase, outcome.phase) == (Phase.INTENT, Phase.OUTCOME)
    assert intent.summary == "Personalise a DESFire card for application F51234"
    assert outcome.summary == f"{intent.summary}: done"
    assert intent.actor.user_id == outcome.actor.user_id == "unix:alice"
    assert f"uid:{UID.hex()}" in intent.actor.badge
    assert done.claim.fingerprint in outcome.actor.badge
    (message,) = outcome.messages
    assert message.event_types == (codes.OBJECT_SECURITY_CHANGED,)
    assert outcome.outcome is Outcome.SUCCESS
    keys = ISSUE.keys_of(UID, KEYS)
    recorded = repr(ledger.entries).lower()
    for secret in (*ISSUING_KEYS.values(), keys.card, keys.master, keys.read, done.claim.subject[7:]):
        assert secret.hex() not in recorded
        assert repr(secret)[2:-1] not in recorded


def test_a_card_that_was_one_already_is_on_record_as_that() -> None:
    ledger, card = MemoryLedger(), blank(UID)
    written(card)
    with presented(card) as connected:
        assert not performed(ledger, lambda: personalise(connected, ISSUE, KEYS)).written
    assert ledger.entries[-1].summary.endswith("nothing was written")


def test_a_card_that_was_taken_away_is_on_record_as_unfinished() -> None:
    ledger = MemoryLedger()
    with presented(TornCard(blank(UID), 18, heard=True)) as card, pytest.raises(KioskError, match="where it stopped"):
        performed(ledger, lambda: personalise(card, ISSUE, KEYS))
    outcome = ledger.entries[-1]
    assert outcome.outcome is Outcome.SERIOUS
    assert "steps, The card left the field. Lay the same card on" in outcome.summary


def test_a_card_that_is_refused_says_why_and_nothing_else() -> None:
    ledger, card = MemoryLedger(), blank(UID)
    written(card, keys=FOREIGN_KEYS)
    with presented(card) as connected, pytest.raises(KioskError) as refused:
        performed(ledger, lambda: personalise(connected, ISSUE, KEYS))
    assert str(refused.value) == "This card belongs to another site: its keys are not ours. Nothing was written."
    assert isinstance(card, DesfireCard)


def test_it_can_be_cancelled_between_two_steps() -> None:
    cancel, ledger = Event(), MemoryLedger()
    card = blank(UID)
    with presented(card) as connected:
        work = perform(Desk(ledger, lambda _: False), BY, act(lambda: personalise(connected, ISSUE, KEYS)), cancel)
        while next(work).step is not Step.MASTER_KEY:
            pass
        cancel.set()
        with pytest.raises(Cancelled, match="not finished"):
            next(work)
    assert ledger.entries[-1].outcome is Outcome.MINOR
    assert written(card)[1].written


@pytest.mark.parametrize("error", [CardGone("Gone."), TransmitFailed("Broken"), ReaderError("Strange.")])
def test_what_a_reader_raises_is_a_sentence_of_the_kiosk(error: ReaderError) -> None:
    def work() -> Generator[Progress, None, Personalised]:
        yield Progress(Step.FREEZE, 1, 1)
        raise error

    with pytest.raises(KioskError) as told:
        performed(MemoryLedger(), work)
    assert type(told.value) is KioskError
    assert not isinstance(error, NotPersonalisable)
    assert ("where it stopped" in str(told.value)) is isinstance(error, CardGone | TransmitFailed)


def test_keys_are_on_record_by_name_and_count() -> None:
    ledger = MemoryLedger()
    there = {"emv"}
    work = MakeKeys(("desfire-read", "emv", "desfire-card"), lambda name: name not in there)
    assert list(perform(Desk(ledger, lambda _: False), BY, work)) == ["desfire-read", "desfire-card"]
    intent, outcome = ledger.entries
    assert intent.summary == "Make the card keys that are missing of desfire-read, emv, desfire-card"
    assert outcome.summary == "Make card keys: 2 made, done"
    assert outcome.messages[0].event_types == (codes.SECURITY_CONFIGURATION,)


def test_a_key_that_cannot_be_made_is_a_sentence() -> None:
    def make(_: str) -> bool:
        raise ReaderError("/keys/emv.key cannot be made: Read-only file system")

    ledger = MemoryLedger()
    with pytest.raises(KioskError, match="Read-only"):
        finish(perform(Desk(ledger, lambda _: False), BY, MakeKeys(("emv",), make)))
    assert ledger.entries[-1].outcome is Outcome.SERIOUS
