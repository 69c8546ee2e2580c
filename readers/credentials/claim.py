"""What a card proved about itself, and how strongly."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Protocol

from readers.reader import Card
from readers.uid import Uid


class Assurance(IntEnum):
    """How far a claim can be believed without a PIN."""

    NONE = 0
    IDENTIFIER = 1
    AUTHENTICATED = 2


@dataclass(frozen=True, repr=False)
class Proof:
    """A signature that anyone can check again. `nonce` is what was signed, `binding` what the nonce was made from."""

    algorithm: str
    nonce: bytes
    signature: bytes
    public_key: bytes
    binding: bytes = b""

    def __repr__(self) -> str:
        return f"Proof({self.algorithm})"


@dataclass(frozen=True, repr=False)
class Claim:
    """Somebody's card says: I am `subject` of this `kind`.

    `subject` is what a directory keys on (UID, full public key, ...); `fingerprint` is its short public form
    such as "pkoc:9f2c51d07a3b4e6d", the same at every tap, fit for a screen and the trail; empty for a bare UID.
    `notes` are facts about this one tap, such as "owner verified on device": for people, never for a decision.
    """

    kind: str
    subject: bytes
    uid: Uid | None
    assurance: Assurance
    fingerprint: str = ""
    proof: Proof | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Claim({self.kind}, {self.uid!r}, {self.assurance.name})"


class RefusalReason(Enum):
    """Why a presentation makes no claim."""

    RANDOM_UID = "random_uid"
    INVALID_UID = "invalid_uid"
    NO_UID = "no_uid"
    NO_PROOF = "no_proof"
    PROOF_FAILED = "proof_failed"
    REPLAYED = "replayed"
    COUNTER_UNAVAILABLE = "counter_unavailable"
    KEY_MISSING = "key_missing"
    CARD_GONE = "card_gone"
    TWO_CARDS = "two_cards"
    TOO_SLOW = "too_slow"
    MISBEHAVED = "misbehaved"
    NOT_READY = "not_ready"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    UNKNOWN_ISSUER = "unknown_issuer"
    REVOKED = "revoked"
    REVOCATION_UNKNOWN = "revocation_unknown"
    UNFIT_CERTIFICATE = "unfit_certificate"
    FORGED_CERTIFICATE = "forged_certificate"


@dataclass(frozen=True)
class Refusal:
    """The card makes no claim that may be used; `sentence` is for the person who tapped."""

    reason: RefusalReason
    sentence: str
    scheme: str
    uid: Uid | None = None


class NonceSource(Protocol):
    """Where challenges come from."""

    def fresh(self) -> "Nonce":
        """A nonce never given before."""


@dataclass(frozen=True)
class Nonce:
    """A 16-byte challenge; `binding` lets anyone recompute that it was made from a given head of the trail."""

    value: bytes
    binding: bytes = b""


class CredentialScheme(Protocol):
    """One way a card can say who it is."""

    @property
    def kind(self) -> str:
        """Its name in claims and in the directory: "iso14443", "pkoc", ..."""

    @property
    def assurance(self) -> Assurance:
        """What a successful claim of this scheme is worth."""

    def may_apply(self, card: Card) -> bool:
        """A cheap look at ATR class and UID; no APDU is sent."""

    def identify(self, card: Card) -> "Claim | Refusal | None":
        """Probes the card: None when this scheme is not on it, Refusal when it is and failed its proof."""


Schemes = Sequence[CredentialScheme]
