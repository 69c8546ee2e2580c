"""Blank DESFire cards, and the site that makes them its own."""

from collections.abc import Callable

from readers.apdu import Command, Response
from readers.credentials.aes_keys import MemoryKeys
from readers.credentials.desfire_issue import DesfireIssue
from readers.credentials.desfire_personalise import Personalised, Step, personalise
from readers.errors import CardGone
from readers.reader import Card
from readers.uid import Uid
from readers.virtual.card import VirtualCard
from readers.virtual.desfire_card import DesfireCard, Model, blank
from tests.readers.cards import presented
from tests.readers.credentials.aes_cards import APPLICATION, SITE_KEYS, UID

ZERO_AES = bytes(16)
ISSUING_KEYS = SITE_KEYS | {"desfire-master": b"\x31" * 15 + b"\x2a", "desfire-card": b"\x32" * 15 + b"\x2a"}
KEYS = MemoryKeys(ISSUING_KEYS)
FOREIGN_KEYS = MemoryKeys({name: key[::-1] for name, key in ISSUING_KEYS.items()})
ISSUE = DesfireIssue(APPLICATION)
HIDING = DesfireIssue(APPLICATION, hides_uid=True)

MAKES: dict[str, Callable[[], DesfireCard]] = {
    "EV1": lambda: blank(UID, model=Model.EV1),
    "EV2": lambda: blank(UID),
    "EV3 with AES": lambda: blank(UID, model=Model.EV3, master_key=ZERO_AES),
    "EV1 with AES": lambda: blank(UID, model=Model.EV1, master_key=ZERO_AES),
}


def written(
    card: VirtualCard, issue: DesfireIssue = ISSUE, keys: MemoryKeys = KEYS, only: Uid | None = None
) -> tuple[list[Step], Personalised]:
    """One presentation: the steps that were told, and what came of it."""
    with presented(card) as connected:
        return carried_out(connected, issue, keys, only)


def carried_out(
    card: Card, issue: DesfireIssue = ISSUE, keys: MemoryKeys = KEYS, only: Uid | None = None
) -> tuple[list[Step], Personalised]:
    steps: list[Step] = []
    work = personalise(card, issue, keys, only)
    while True:
        try:
            progress = next(work)
        except StopIteration as stop:
            done = stop.value
            assert isinstance(done, Personalised)
            return steps, done
        steps.append(progress.step)
        assert progress.number == len(steps) <= progress.of


class CountingCard:
    """A card, and what was said to it."""

    def __init__(self, card: VirtualCard) -> None:
        card.power_on()
        self._card = card
        self.uid = card.uid
        self.atr = card.atr
        self.takes_apdus = card.takes_apdus
        self.sent: list[bytes] = []

    def transmit(self, command: Command) -> Response:
        self.sent.append(bytes(command))
        raw = self._card.exchange(bytes(command))
        if not raw:
            raise CardGone("The card left the field")
        return Response.parse(raw)


def image(card: DesfireCard) -> str:
    """Everything that the card keeps."""
    applications = [
        (identifier.hex(), vars(application) | {"files": {n: vars(f) for n, f in application.files.items()}})
        for identifier, application in card.memory.applications.items()
    ]
    return repr((vars(card.memory.card), applications, card.memory.hides_uid))


def version(kind: int, major: int) -> list[Response]:
    hardware = bytes((4, kind, 1, major, 0, 0x18, 5))
    last = UID.value + bytes(7)
    return [Response(b"", 0x9100), Response(hardware, 0x91AF), Response(hardware, 0x91AF), Response(last, 0x9100)]


def commands_for(card: DesfireCard) -> int:
    """How many it takes to make a card of the site out of it."""
    counting = CountingCard(card)
    carried_out(counting, HIDING)
    return len(counting.sent)
