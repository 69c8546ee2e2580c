"""The demo's people and the cards in their pockets. Everything here is test material and known to everybody."""

from collections.abc import Iterator
from dataclasses import dataclass

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.people import Directory
from kiosk.access.policy import Role
from kiosk.config.model import KioskConfig
from kiosk.demo.site import DESFIRE_BADGE, NTAG424_TAG, PIV_CARD, SUN_TAG, WALLET, site_cards
from kiosk.operations.operations import DemoCard
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import System
from kiosk.operations.staff import AddPerson, Bootstrap, EnrolBadge
from readers.credentials.claim import Claim
from readers.credentials.ladder import Ladder
from readers.credentials.standard import standard_ladder
from readers.reader import CardPresented
from readers.simulated import SimulatedReader
from readers.uid import Uid
from readers.virtual.deck import Deck, DeckCard
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard

DEMO_PIN = "123456"
OFFICER = ("demo.officer", "Demo Enrolment Officer")
PHONE_KEY = 0x1F5C0A7E3D2B4968877695A4B3C2D1E0F00112233445566778899AABBCCDDEEF

RADIOLOGIST_BADGE = "radiologist-badge"
TECHNOLOGIST_BADGE = "technologist-badge"
RADIOLOGIST_PHONE = "radiologist-phone"
UNKNOWN_BADGE = "unknown-badge"
AUDITOR_BADGE = "auditor-badge"


@dataclass(frozen=True)
class _Person:
    user_id: str
    display_name: str
    role: Role
    cards: tuple[str, ...]


PEOPLE = (
    _Person("a.weber", "Dr. Anna Weber", Role.RADIOLOGIST, (RADIOLOGIST_BADGE, DESFIRE_BADGE)),
    _Person("m.okafor", "Michael Okafor", Role.TECHNOLOGIST, (TECHNOLOGIST_BADGE, NTAG424_TAG, SUN_TAG)),
    _Person("y.tanaka", "Dr. Yuki Tanaka", Role.RADIOLOGIST, (RADIOLOGIST_PHONE, PIV_CARD)),
    _Person("s.lindqvist", "Sara Lindqvist", Role.AUDITOR, (AUDITOR_BADGE, WALLET)),
)

CARDS = (
    DemoCard("F1", RADIOLOGIST_BADGE, "Radiologist's badge"),
    DemoCard("F2", TECHNOLOGIST_BADGE, "Technologist's badge"),
    DemoCard("F3", RADIOLOGIST_PHONE, "Radiologist's phone"),
    DemoCard("F4", UNKNOWN_BADGE, "Unknown badge"),
)


def deck(config: KioskConfig | None = None) -> Deck:
    """The four cards of F1 to F4, an auditor's badge for `kiosk tap`, and what that demo's site keys can make."""
    labels = {card.card: card.label for card in CARDS}
    return Deck(
        (
            DeckCard(RADIOLOGIST_BADGE, labels[RADIOLOGIST_BADGE], UidCard(Uid.from_hex("04A1B2C3D4E580"))),
            DeckCard(TECHNOLOGIST_BADGE, labels[TECHNOLOGIST_BADGE], UidCard(Uid.from_hex("04C7D81A2B3C4D"))),
            DeckCard(RADIOLOGIST_PHONE, labels[RADIOLOGIST_PHONE], PkocPhone.from_private_value(PHONE_KEY)),
            DeckCard(UNKNOWN_BADGE, labels[UNKNOWN_BADGE], UidCard(Uid.from_hex("9A0B1C2D"))),
            DeckCard(AUDITOR_BADGE, "Auditor's badge", UidCard(Uid.from_hex("04E5F60718293A"))),
            *(site_cards(config) if config is not None else ()),
        )
    )


def enrol(desk: Desk, directory: Directory, cards: Deck | None = None, ladder: Ladder | None = None) -> None:
    """Puts the demo's people into an empty directory, on record, as an administrator would.

    They hold `cards`, by default those that need no key, and what they are is what `ladder` says.
    """
    by = System("unix:demo")
    if directory.people():
        return
    finish(perform(desk, by, Bootstrap(directory, *OFFICER)))
    claims = dict(_claims(cards or deck(), ladder or standard_ladder()))
    for someone in PEOPLE:
        added = AddPerson(directory, someone.user_id, someone.display_name, someone.role)
        person = finish(perform(desk, by, added))
        for card in filter(claims.__contains__, someone.cards):
            finish(perform(desk, by, EnrolBadge(directory, person, claims[card], EnteredPin(DEMO_PIN))))


def _claims(cards: Deck, ladder: Ladder) -> Iterator[tuple[str, Claim]]:
    """What each card says of itself when it is laid on a reader."""
    reader = SimulatedReader(cards)
    reader.open()
    try:
        for name in cards:
            reader.insert(name)
            for event in reader.wait(1.0):
                if isinstance(event, CardPresented):
                    with reader.connect(event) as card:
                        answer = ladder.identify(card)
                    if isinstance(answer, Claim):
                        yield name, answer
            reader.remove()
            reader.wait(1.0)
    finally:
        reader.close()
