"""The card's side of the field: what a virtual card must be able to do, whoever presents it."""

from typing import Protocol

from readers.uid import Uid


class VirtualCard(Protocol):
    """A card made of software, without a reader.

    Presenters (the simulated reader, vpcd, ISO-DEP over nfcpy's UDP device) call `power_on` each time a field comes up
    around it and `exchange` for every APDU after that. The reader-level pseudo-APDU FF CA 00 00 00 never reaches the
    card: the presenter answers it with `uid`.
    """

    @property
    def uid(self) -> Uid | None:
        """The UID it shows in this field; a phone with a random UID has a new one after each `power_on`.

        None for one that no reader could read.
        """

    @property
    def atr(self) -> bytes:
        """The ATR that a PC/SC reader would make for it (PC/SC part 3)."""

    @property
    def ats_historical(self) -> bytes:
        """The historical bytes of its ATS, T1 to Tk (ISO/IEC 14443-4 5.2.7); empty when there are none."""

    @property
    def takes_apdus(self) -> bool:
        """True for ISO/IEC 14443-4 cards."""

    def power_on(self) -> None:
        """Enters the field: forgets everything selected and proved, and takes a new UID where that is random."""

    def exchange(self, raw: bytes) -> bytes:
        """One command APDU in, one response APDU out with its status word.

        A card with a planted fault may answer fewer than two bytes or raise CardGone, when it leaves the field here.
        One from a recording raises TransmitFailed where that tells no answer.
        """
