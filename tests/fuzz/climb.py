"""One climb of the real ladder with a card out of the fuzzer's bytes, and what must hold after it.

The first byte of an input says what is behind the steps: 0 nothing, then one of the target's virtual cards. The second
says which UID is shown where there is nothing.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from traceback import walk_tb

from readers.apdu import Command, Response
from readers.credentials import card_keys, pkoc2
from readers.credentials.claim import Assurance, Claim, CredentialScheme, Nonce, Proof, Refusal
from readers.credentials.keys import NONCE_SIZE
from readers.credentials.ladder import BUDGET, DEFAULT_LIMITS, SCHEME_BUDGET, Ladder
from readers.credentials.limits import LimitedCard
from readers.errors import ReaderError
from readers.reader import Card
from readers.redaction import Redactor
from readers.uid import Uid
from readers.virtual.card import VirtualCard
from tests.fuzz.meddling import MeddledCard, Script, Step, TalkingCard, say
from tests.fuzz.target import Target, require
from tests.readers.cards import FIXED_UID, RANDOM_UID, ManualClock

UIDS = (FIXED_UID, RANDOM_UID, None, Uid(b"\x88\x01\x02\x03"), Uid(bytes(7)), Uid.from_hex("08010203040506"))
OTHER_STATUS_WORDS = tuple(map(bytes.fromhex, ("6A82", "6110", "911C", "91AE", "91AF")))
LONGEST_COMMAND = 261
LONGEST_ANSWER = 65_536
GENERATE_AC = 0xAE
READER_CLASS = 0xFF
VIRTUAL = "readers.virtual"


class Dice:
    """Bytes that follow from the input and cannot be in it."""

    def __init__(self, data: bytes) -> None:
        self._seed = hashlib.sha256(data).digest()
        self._count = 0
        self.nonces: list[bytes] = []

    def throw(self, size: int) -> bytes:
        """Up to 32 bytes."""
        self._count += 1
        return hashlib.sha256(self._seed + self._count.to_bytes(4, "big")).digest()[:size]

    def token_bytes(self, nbytes: int | None = None) -> bytes:
        """As `secrets.token_bytes`."""
        return self.throw(32 if nbytes is None else nbytes)

    def fresh(self) -> Nonce:
        """As a NonceSource."""
        self.nonces.append(self.throw(NONCE_SIZE))
        return Nonce(self.nonces[-1], b"head of the trail")


Schemes = Callable[[ManualClock, Dice], Sequence[CredentialScheme]]


@dataclass(frozen=True)
class Climb:
    """Which schemes climb, with which cards behind the steps, and what may come of it.

    `proven` are the subjects that may be claimed with proof or with a message authenticated by a key, by kind.
    `is_there` recognises the exchange after which nothing weaker may count. `secrets` may show up nowhere.
    """

    schemes: Schemes
    cards: tuple[Callable[[], VirtualCard], ...]
    proven: Mapping[str, frozenset[bytes]]
    is_there: Callable[[Command, Response], bool] = field(default=lambda command, response: False)
    secrets: tuple[bytes, ...] = ()

    def check(self, data: bytes) -> None:
        """Climbs once with `data`; raises Broken, or what nobody foresaw."""
        dice, clock, script = Dice(data), ManualClock(), Script(data)
        with steady(dice):
            behind, shown = script.number() % (len(self.cards) + 1), UIDS[script.number() % len(UIDS)]
            honest = self.cards[behind - 1]() if behind else None
            if honest is not None:
                honest.power_on()
            card, start = MeddledCard(script, honest, shown, clock), clock()
            schemes = [Watched(scheme, card, clock, self.secrets) for scheme in self.schemes(clock, dice)]
            outcome = Ladder(schemes, clock).identify(card)
        self._judge_card(card, start)
        self._judge_recording(card)
        self._judge(outcome, card, dice, is_honest=honest is not None)

    def seeds(self) -> Iterator[bytes]:
        """Each virtual card as it is, its words without it, and each of its answers meddled with in every way."""
        for number, make in enumerate(self.cards, start=1):
            card = make()
            card.power_on()
            talking = TalkingCard(card)
            Ladder(self.schemes(ManualClock(), Dice(b"seed")), ManualClock()).identify(talking)
            yield bytes((number, 0))
            yield bytes((number, 0)) + bytes(len(talking.said)) + b"\x03"
            for which in range(len(UIDS)):
                yield bytes((0, which)) + b"".join(map(say, talking.said))
            for count in range(len(talking.said)):
                for step in Step:
                    yield bytes((number, 0)) + bytes(count) + bytes((step, 1, 1, 1))
                yield bytes((number, 0)) + bytes(count) + bytes((Step.WAIT, 255))
                for status in OTHER_STATUS_WORDS:
                    yield bytes((number, 0)) + bytes(count) + bytes((Step.STATUS,)) + status

    @staticmethod
    def _judge_card(card: MeddledCard, start: float) -> None:
        require(len(card.sent) <= DEFAULT_LIMITS.exchanges, "Too many APDUs")
        require(card.received <= DEFAULT_LIMITS.received_bytes + LONGEST_ANSWER, "Too many bytes")
        require(all(asked <= start + BUDGET for asked in card.asked_at), "An APDU after the budget was spent")
        for command in card.sent:
            require(len(bytes(command)) <= LONGEST_COMMAND, "A command that short readers do not take")
            require(command.ins != GENERATE_AC and command.cla != READER_CLASS, "A command that is never sent")

    def _judge_recording(self, card: MeddledCard) -> None:
        redactor = Redactor()
        for exchange in card.exchanges:
            for kept in redactor.exchange(*exchange):
                content = kept.content or b""
                require(not any(secret in content for secret in self.secrets), "A secret is in a recording")

    def _judge(self, outcome: Claim | Refusal, card: MeddledCard, dice: Dice, *, is_honest: bool) -> None:
        shown = repr(outcome) + str(vars(outcome))
        require(not self._shows(shown), "A secret is in the outcome")
        if isinstance(outcome, Refusal):
            require(bool(outcome.sentence) and outcome.sentence.isprintable(), "A refusal without a sentence")
            return
        require(card.uid == card.first_uid, "A claim over two cards")
        if outcome.assurance is Assurance.AUTHENTICATED:
            require(is_honest, "Nobody's card was authenticated")
            require(outcome.subject in self.proven[outcome.kind], "Another card was authenticated")
            if outcome.proof is not None:
                require(outcome.proof.nonce[:NONCE_SIZE] == dice.nonces[-1], "A proof over another nonce")
                require(_is_proved(outcome.proof), "A proof that proves nothing")
            return
        require(outcome.assurance is Assurance.IDENTIFIER, "A claim that is worth nothing")
        require(outcome.subject in self.proven.get(outcome.kind, (outcome.subject,)), "Another card was recognised")
        require(not any(self.is_there(*exchange) for exchange in card.exchanges), "A weaker scheme stepped in")
        if outcome.kind == "iso14443":
            uid = outcome.uid
            require(uid is not None and uid.is_valid and not uid.is_random, "A claim on a UID that is none")
            require(uid == card.uid and uid is not None and outcome.subject == uid.value, "Somebody else's UID")

    def _shows(self, text: str) -> bool:
        return any(form in text for secret in self.secrets for form in (secret.decode("latin-1"), repr(secret)[2:-1]))


class Watched:
    """A scheme whose time is taken and whose errors are looked at before the ladder turns them into refusals."""

    def __init__(
        self, scheme: CredentialScheme, card: MeddledCard, clock: ManualClock, secrets: tuple[bytes, ...]
    ) -> None:
        self._scheme = scheme
        self._card = card
        self._clock = clock
        self._secrets = secrets

    @property
    def kind(self) -> str:
        """The scheme's."""
        return self._scheme.kind

    @property
    def assurance(self) -> Assurance:
        """The scheme's."""
        return self._scheme.assurance

    def may_apply(self, card: Card) -> bool:
        """The scheme's."""
        return self._scheme.may_apply(card)

    def identify(self, card: Card) -> Claim | Refusal | None:
        """The scheme's."""
        require(isinstance(card, LimitedCard), "A scheme got a card without limits")
        start, before = self._clock(), len(self._card.asked_at)
        try:
            return self._scheme.identify(card)
        except ReaderError as error:
            for secret in self._secrets:
                require(not shows(error, secret), "A secret is in an error or its traceback")
            raise
        finally:
            late = [asked for asked in self._card.asked_at[before:] if asked > start + SCHEME_BUDGET]
            require(not late, "An APDU after the scheme's budget was spent")


def shows(error: BaseException, secret: bytes) -> bool:
    """True where a log with every local variable of our own frames would show `secret`, in bytes or as text."""
    text = f"{error!r} {error}"
    for frame, _line in walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__", ""))
        if name.startswith("readers.") and not name.startswith(VIRTUAL):
            for value in frame.f_locals.values():
                text += repr(value)
                if isinstance(value, bytes | bytearray) and secret in value:
                    return True
    if secret.decode("latin-1") in text or repr(secret)[2:-1] in text:
        return True
    behind = error.__cause__ if error.__suppress_context__ else error.__cause__ or error.__context__
    return behind is not None and shows(behind, secret)


@contextmanager
def steady(dice: Dice) -> Iterator[None]:
    """The virtual cards throw the same dice, so that an input always does the same."""
    usual = secrets.token_bytes
    secrets.token_bytes = dice.token_bytes
    try:
        yield
    finally:
        secrets.token_bytes = usual


def climbing(name: str, climb: Climb) -> Target:
    """The target of that climb."""
    return Target(name, climb.check, climb.seeds)


def _is_proved(proof: Proof) -> bool:
    if proof.algorithm == pkoc2.ALGORITHM:
        return pkoc2.is_proved(proof)
    return card_keys.is_signed(proof.algorithm, proof.nonce, proof.public_key, proof.signature)
