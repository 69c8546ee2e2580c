"""What can go wrong between the antenna and a claim.

ReaderError
 ├── ReaderUnavailable     the reader, its driver or its daemon is gone; it may come back
 ├── ReaderSpecError       a specification such as "pcsc:ACR*" names nothing that can be built
 ├── CardError
 │    ├── CardGone         the card left the field; nothing it half said counts
 │    └── TransmitFailed   the card is there but the exchange broke
 ├── TlvError              a TLV or ATR that does not add up
 └── StatusWordError       the card answered with a status word other than success
"""


class ReaderError(Exception):
    """Anything the readers library raises on purpose; the message is fit for a screen."""


class ReaderUnavailable(ReaderError):
    """The reader, its driver or its daemon is gone; it may come back."""


class ReaderSpecError(ReaderError):
    """A reader specification names nothing that can be built."""


class CardError(ReaderError):
    """A card did something that ends the exchange."""


class CardGone(CardError):
    """The card left the field; nothing it half said counts."""


class TransmitFailed(CardError):
    """The card is there but the exchange broke."""


class TlvError(ReaderError):
    """Bytes that are not the structure they claim to be."""


class StatusWordError(CardError):
    """The card refused a command (ISO/IEC 7816-4 5.6)."""

    def __init__(self, status_word: int, command: str) -> None:
        super().__init__(f"{command}: status word {status_word:04X}")
        self.status_word = status_word
        self.command = command
