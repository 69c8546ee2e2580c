"""The cards of the schemes bench: what they answer, and a process of their own to answer from.

A taped card says again what a real virtual card said, at once and whatever it is asked: with the reader's half of every
challenge fixed, its answers fit again each time, and only the way to the card and our own work are left to measure.
"""

import hashlib
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from readers.credentials.aes_keys import MemoryKeys
from readers.credentials.certificates import SiteAuthority
from readers.credentials.claim import Claim, CredentialScheme, Nonce
from readers.credentials.desfire import DesfireScheme
from readers.credentials.emv import EmvScheme
from readers.credentials.emv_keys import StoredIdentifierKey
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import Ladder
from readers.credentials.ntag424 import Ntag424Scheme
from readers.credentials.piv import PivScheme
from readers.credentials.pkoc import PkocScheme
from readers.virtual import desfire_card, ntag424_card
from readers.virtual.card import VirtualCard
from readers.virtual.emv_card import EmvCard, Profile
from readers.virtual.piv_authority import PivAuthority
from readers.virtual.piv_card import PivCard
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard
from readers.virtual.vpcd import VpcdSlot
from tests.fuzz.meddling import TalkingCard
from tests.readers.credentials.aes_cards import APPLICATION, IDENTITY, SITE_KEYS, TAG_KEYS, UID

KEYS = MemoryKeys({**SITE_KEYS, "emv": bytes(range(16))})
NUMBER = "4929683127450918"
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class FixedDice:
    """The same nonces and random bytes for each climb."""

    def __init__(self) -> None:
        self._count = 0

    def throw(self, size: int) -> bytes:
        """Up to 32 bytes."""
        self._count += 1
        return hashlib.sha256(self._count.to_bytes(4, "big")).digest()[:size]

    def fresh(self) -> Nonce:
        """As a NonceSource."""
        return Nonce(self.throw(16))


Schemes = Callable[[FixedDice], Sequence[CredentialScheme]]


@dataclass(frozen=True)
class Case:
    """A card, and the schemes that are asked about it."""

    name: str
    card: VirtualCard
    schemes: Schemes

    def identify(self, card: TalkingCard) -> Claim:
        """One climb outside of any reader; raises RuntimeError where no claim comes of it."""
        outcome = Ladder(self.schemes(FixedDice()), time.monotonic).identify(card)
        if not isinstance(outcome, Claim):
            raise RuntimeError(f"{self.name}: {outcome}")
        return outcome

    def taped(self) -> "TapedCard":
        """What the card says in one climb."""
        self.card.power_on()
        talking = TalkingCard(self.card)
        self.identify(talking)
        return TapedCard(self.card, talking.said)


class TapedCard:
    """Answers in a circle; `uid` and ATR are those of the card that was taped."""

    def __init__(self, card: VirtualCard, answers: Sequence[bytes]) -> None:
        self.uid = card.uid
        self.atr = card.atr
        self.ats_historical = card.ats_historical
        self.takes_apdus = card.takes_apdus
        self._answers = answers
        self._next = 0

    def power_on(self) -> None:
        """From the beginning."""
        self._next = 0

    def exchange(self, raw: bytes) -> bytes:
        """The next answer."""
        answer = self._answers[self._next % len(self._answers)]
        self._next += 1
        return answer


def cases() -> tuple[Case, ...]:
    """One for each scheme, each with the UID as the last rung; and one that every scheme is asked about."""
    key = ec.generate_private_key(ec.SECP256R1())
    authority = PivAuthority()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "cards.pem"
        file.write_bytes(authority.pem)
        site = SiteAuthority(file, lambda: NOW)
        site.open()

    def pkoc(dice: FixedDice) -> CredentialScheme:
        return PkocScheme(dice, time.monotonic)

    def desfire(dice: FixedDice) -> CredentialScheme:
        return DesfireScheme(APPLICATION, KEYS, dice.throw)

    def ntag424(dice: FixedDice) -> CredentialScheme:
        return Ntag424Scheme(TAG_KEYS, KEYS, dice.throw)

    def piv(dice: FixedDice) -> CredentialScheme:
        return PivScheme(site, dice, time.monotonic)

    def emv(dice: FixedDice) -> CredentialScheme:
        return EmvScheme(StoredIdentifierKey(KEYS))

    def asked(*makers: Callable[[FixedDice], CredentialScheme]) -> Schemes:
        return lambda dice: (*(make(dice) for make in makers), UidScheme())

    payment = partial(EmvCard, NUMBER, Profile.MASTERCARD, uid=UID)
    return (
        Case("UID", UidCard(UID), asked()),
        Case("PKOC", PkocPhone.generate(), asked(pkoc)),
        Case("DESFire EV2", desfire_card.issue(APPLICATION, UID, IDENTITY, SITE_KEYS), asked(desfire)),
        Case("NTAG 424", ntag424_card.issue(UID, SITE_KEYS, TAG_KEYS), asked(ntag424)),
        Case("PIV P-256", PivCard(key, authority.issue(key.public_key()), UID), asked(piv)),
        Case("EMV", payment(), asked(emv)),
        Case("EMV after every other scheme", payment(), asked(pkoc, desfire, ntag424, piv, emv)),
    )


@contextmanager
def lying(port: int, cards: Sequence[VirtualCard]) -> Iterator[None]:
    """The cards on the slots of the vpcd at `port`, from a process of their own: they share no interpreter lock."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(port, cards, here, there), daemon=True)
    process.start()
    there.close()
    try:
        yield
    finally:
        here.close()
        process.join(10.0)
        process.kill()
        process.join()


def _serve(port: int, cards: Sequence[VirtualCard], here: Connection, there: Connection) -> None:
    here.close()
    slots = [VpcdSlot(port + number) for number in range(len(cards))]
    for slot, card in zip(slots, cards, strict=True):
        slot.insert(card)
    there.poll(None)
    for slot in slots:
        slot.remove()
