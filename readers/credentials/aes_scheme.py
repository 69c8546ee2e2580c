"""What DESFire and NTAG 424 have in common for a reader: one exchange, and what comes of it."""

import hashlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from readers.apdu import Command
from readers.credentials.aes_keys import AesKeyStore
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.native import NotSupported, ProofFailed, fixed_uid
from readers.reader import Card
from readers.uid import Uid

Layout = TypeVar("Layout")
FINGERPRINT_DIGITS = 16


class UidHidden(Exception):
    """The card shows a UID that is not its own, and the site has no key to ask for that one."""


class AesScheme(ABC, Generic[Layout]):
    """Selects the card's application and lets it prove its key. Subclasses say which, how, and in which words."""

    KIND: ClassVar[str]
    SENTENCES: ClassVar[dict[RefusalReason, str]]

    def __init__(
        self,
        layout: Layout,
        keys: AesKeyStore,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`layout` says where things are on the site's cards; `random` makes the reader's half of each challenge."""
        self._layout = layout
        self._keys = keys
        self._random = random

    @property
    def kind(self) -> str:
        """Its name in claims and in the directory."""
        return self.KIND

    @property
    def assurance(self) -> Assurance:
        """Card and kiosk answered each other's challenge."""
        return Assurance.AUTHENTICATED

    def may_apply(self, card: Card) -> bool:
        """Any ISO/IEC 14443-4 card may be one: its ATR is its own choice."""
        return card.takes_apdus

    def identify(self, card: Card) -> Claim | Refusal | None:
        """A claim, a Refusal where the application is there and fails, None for any other card.

        Raises what `card.transmit` raises.
        """
        seen = card.uid
        if card.transmit(self._selection).status_word != self._selected:
            return None
        try:
            return self._prove(card, fixed_uid(seen))
        except NotSupported:  # the application is there, but not on one of these cards
            return None
        except UidHidden:
            return self._refusal(RefusalReason.RANDOM_UID, seen)
        except ProofFailed:
            return self._refusal(RefusalReason.PROOF_FAILED, seen)
        except KeyError:
            return self._refusal(RefusalReason.KEY_MISSING, seen)

    @property
    @abstractmethod
    def _selection(self) -> Command:
        """The command that selects the application."""

    @property
    @abstractmethod
    def _selected(self) -> int:
        """The status word of a selection that succeeded."""

    @abstractmethod
    def _prove(self, card: Card, uid: Uid | None) -> Claim:
        """The claim. `uid` is None where the reader saw none that can be the card's own.

        Raises NotSupported, UidHidden, ProofFailed, or KeyError where the site has no key.
        """

    def _claim(self, credential: bytes, uid: Uid) -> Claim:
        return Claim(self.KIND, credential, uid, self.assurance, fingerprint(self.KIND, credential))

    def _refusal(self, reason: RefusalReason, uid: Uid | None) -> Refusal:
        return Refusal(reason, self.SENTENCES[reason], self.KIND, uid)


def fingerprint(kind: str, credential: bytes) -> str:
    """The short public form, such as "desfire:9f2c51d07a3b4e6d": for people, not for matching."""
    return f"{kind}:{hashlib.sha256(credential).hexdigest()[:FINGERPRINT_DIGITS]}"
