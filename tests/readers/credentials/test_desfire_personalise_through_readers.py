"""A blank DESFire becomes a card of the site through every reader, also when it is taken away in between."""

import time
from collections.abc import Callable, Iterator

import pytest

from readers.credentials.claim import Assurance
from readers.credentials.desfire_personalise import Personalised, Step
from readers.errors import CardGone
from readers.reader import CardPresented, CardRemoved
from readers.virtual.card import VirtualCard
from readers.virtual.desfire_card import Model, blank
from readers.virtual.torn_card import TornCard
from tests.readers.credentials.aes_cards import UID
from tests.readers.credentials.desfire_blanks import HIDING, carried_out
from tests.readers.credentials.test_ladder_through_readers import SEEN_WITHIN, place

Write = Callable[[VirtualCard], tuple[list[Step], Personalised]]


@pytest.fixture(params=["pcscd", "nfcpy", "simulated"])
def write(request: pytest.FixtureRequest) -> Iterator[Write]:
    """Lays one card after another on the reader and personalises it."""
    with place(request.param, request) as (reader, insert):
        reader.open()

        def seen(kind: type[CardPresented | CardRemoved]) -> CardPresented | CardRemoved:
            end = time.monotonic() + SEEN_WITHIN
            while time.monotonic() < end:
                for event in reader.wait(1.0):
                    if isinstance(event, kind):
                        return event
            pytest.fail(f"{kind.__name__} did not come")

        def once(card: VirtualCard) -> tuple[list[Step], Personalised]:
            insert(card)
            presented = seen(CardPresented)
            assert isinstance(presented, CardPresented)
            try:
                with reader.connect(presented) as connected:
                    return carried_out(connected, HIDING)
            except CardGone:
                seen(CardRemoved)  # a daemon that polls would not notice that another card lies there by now
                raise

        yield once
        reader.close()


@pytest.mark.parametrize("model", [Model.EV1, Model.EV3])
def test_a_blank_becomes_a_card_of_the_site(write: Write, model: Model) -> None:
    card = blank(UID, model=model)
    steps, done = write(card)
    assert steps == list(Step)
    assert (done.claim.uid, done.claim.assurance) == (UID, Assurance.AUTHENTICATED)
    card.power_on()
    assert card.uid.is_random
    assert write(card) == ([Step.VERIFY], Personalised(done.claim, written=False))


@pytest.mark.parametrize("commands", [16, 24])
def test_a_card_that_is_taken_away_goes_on_where_it_stopped(write: Write, commands: int) -> None:
    card = blank(UID)
    with pytest.raises(CardGone):
        write(TornCard(card, commands, heard=True))
    steps, done = write(card)
    assert 1 < len(steps) < len(Step)
    assert done.claim.uid == UID
