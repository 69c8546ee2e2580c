"""The UID as an identifier: the last rung, for cards that can do nothing better."""

from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.reader import Card

KIND = "iso14443"

SENTENCES = {
    RefusalReason.RANDOM_UID: "This phone or card shows a different number at every tap. Use the phone app or a card.",
    RefusalReason.INVALID_UID: "This card shows a number that no real card carries. Use another card.",
    RefusalReason.NO_UID: "The reader could not read a number from this card. Use another card.",
    RefusalReason.NO_PROOF: "A number alone opens nothing here. Use a card or a phone app that proves itself.",
}


class UidScheme:
    """Takes the UID at its word (ISO/IEC 14443-3 6.5.4), which anyone can copy: an identifier, never a proof."""

    @property
    def kind(self) -> str:
        """Its name in claims and in the directory."""
        return KIND

    @property
    def assurance(self) -> Assurance:
        """A UID identifies and proves nothing."""
        return Assurance.IDENTIFIER

    def may_apply(self, card: Card) -> bool:
        """Every card has this much."""
        return True

    def identify(self, card: Card) -> Claim | Refusal | None:
        """A claim on a fixed and possible UID, else the reason why there is none."""
        uid = card.uid
        if uid is None:
            return Refusal(RefusalReason.NO_UID, SENTENCES[RefusalReason.NO_UID], KIND)
        if uid.is_random:
            return Refusal(RefusalReason.RANDOM_UID, SENTENCES[RefusalReason.RANDOM_UID], KIND, uid)
        if not uid.is_valid:
            return Refusal(RefusalReason.INVALID_UID, SENTENCES[RefusalReason.INVALID_UID], KIND, uid)
        return Claim(KIND, uid.value, uid, self.assurance)


class ProofsOnly:
    """Stands where UidScheme stands at a site that takes no number at its word, and says so to whoever taps."""

    @property
    def kind(self) -> str:
        """The scheme that is not there."""
        return KIND

    @property
    def assurance(self) -> Assurance:
        """As UidScheme's, to stand in its place."""
        return Assurance.IDENTIFIER

    def may_apply(self, card: Card) -> bool:
        """Whatever proved nothing comes here."""
        return True

    def identify(self, card: Card) -> Refusal:
        """Always the same."""
        return Refusal(RefusalReason.NO_PROOF, SENTENCES[RefusalReason.NO_PROOF], KIND, card.uid)
