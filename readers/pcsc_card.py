"""A card on a PC/SC reader, held so that no other program can talk to it in between."""

from readers.apdu import Command, Response
from readers.atr import StorageCard, classify
from readers.errors import CardGone, ReaderError, TransmitFailed
from readers.pcsc_calls import (
    CARD_GONE,
    COMM_ERROR,
    DAEMON_GONE,
    NOT_TRANSACTED,
    STATE_CHANGED,
    STATE_PRESENT,
    SUCCESS,
    PcscCalls,
    SlotState,
    sentence,
)
from readers.pcsc_hold import LEFT, Hold
from readers.uid import Uid

GET_UID = Command(0xFF, 0xCA, 0x00, 0x00, le=0)
REMOVAL_MILLISECONDS = 500


class PcscCard:
    """A card for the time of one connection; `escape` speaks to the reader itself, where its driver permits it."""

    def __init__(self, calls: PcscCalls, context: int, name: str, hold: Hold, atr: bytes) -> None:
        self._calls = calls
        self._context = context
        self._name = name
        self._hold = hold
        self._atr = atr
        self._uid: Uid | None = None

    @property
    def uid(self) -> Uid | None:
        """The UID as the reader gives it; None when it gives none that a type A card can have."""
        return self._uid

    @property
    def atr(self) -> bytes:
        """The ATR as the daemon reported it with the presentation."""
        return self._atr

    @property
    def takes_apdus(self) -> bool:
        """False for cards whose ATR says that they only store."""
        return not isinstance(classify(self._atr), StorageCard)

    def read_uid(self) -> None:
        """Asks the reader for the UID (PC/SC part 3, 3.2.2.1.3); raises CardGone or TransmitFailed."""
        response = self.transmit(GET_UID)
        try:
            self._uid = Uid(response.expect("GET DATA (UID)"))
        except ReaderError:
            self._uid = None

    def transmit(self, command: Command) -> Response:
        """One APDU exchange; raises CardGone or TransmitFailed."""
        code, raw = self._hold.transmit(bytes(command))
        if code != SUCCESS:
            raise self._failure(code)
        if not raw:
            raise CardGone(LEFT)
        if len(raw) < 2:
            raise TransmitFailed("The card's answer has no status word.")
        return Response.parse(raw)

    def escape(self, data: bytes) -> bytes:
        """One command to the reader itself; raises TransmitFailed where reader or driver do not take it."""
        code, answer = self._hold.control(data)
        if code != SUCCESS:
            raise TransmitFailed(sentence(code))
        return answer

    def _failure(self, code: int) -> CardGone | TransmitFailed:
        """The daemon tells a broken exchange from a removed card only when it has looked for the card again."""
        if code in CARD_GONE:
            return CardGone(LEFT)
        if code not in (COMM_ERROR, NOT_TRANSACTED):
            return CardGone(sentence(code)) if code in DAEMON_GONE else TransmitFailed(sentence(code))
        known: tuple[SlotState, ...] = (SlotState(self._name, 0),)
        for milliseconds in (0, REMOVAL_MILLISECONDS):
            status, known = self._calls.get_status_change(self._context, milliseconds, known)
            if status in DAEMON_GONE:
                return CardGone(sentence(status))
            if any(not state.flags & STATE_PRESENT for state in known):
                return CardGone(LEFT)
            known = tuple(SlotState(state.name, state.flags & ~STATE_CHANGED) for state in known)
        return TransmitFailed(sentence(NOT_TRANSACTED))
