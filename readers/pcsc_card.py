"""A card on a PC/SC reader, held so that no other program can talk to it in between."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from readers.apdu import Command, Response
from readers.atr import StorageCard, classify
from readers.errors import CardGone, ReaderError, TransmitFailed
from readers.pcsc_calls import (
    CARD_GONE,
    COMM_ERROR,
    DAEMON_GONE,
    NOT_TRANSACTED,
    SHARING_VIOLATION,
    STATE_CHANGED,
    STATE_PRESENT,
    SUCCESS,
    Connected,
    PcscCalls,
    PcscUnavailable,
    SlotState,
    sentence,
)
from readers.uid import Uid

GET_UID = Command(0xFF, 0xCA, 0x00, 0x00, le=0)
TRANSACTION_SECONDS = 2.0
REMOVAL_MILLISECONDS = 500
LEFT = "The card left the reader too soon."


class PcscCard:
    """A card for the time of one connection; `escape` speaks to the reader itself, where its driver permits it."""

    def __init__(self, calls: PcscCalls, context: int, name: str, connected: Connected, atr: bytes) -> None:
        self._calls = calls
        self._context = context
        self._name = name
        self._connected = connected
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
        code, raw = self._calls.transmit(self._connected, bytes(command))
        if code != SUCCESS:
            raise self._failure(code)
        if not raw:
            raise CardGone(LEFT)
        if len(raw) < 2:
            raise TransmitFailed("The card's answer has no status word.")
        return Response.parse(raw)

    def escape(self, data: bytes) -> bytes:
        """One command to the reader itself; raises TransmitFailed where reader or driver do not take it."""
        code, answer = self._calls.control(self._connected.handle, data)
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


def refusal(code: int) -> ReaderError:
    """The error for a connection that was not made."""
    if code in CARD_GONE:
        return CardGone(LEFT)
    return PcscUnavailable(code) if code in DAEMON_GONE else TransmitFailed(sentence(code))


@contextmanager
def held(calls: PcscCalls, name: str) -> Iterator[Connected]:
    """A connection that keeps others out: exclusive, or shared within a transaction where others are connected too.

    Raises CardGone, TransmitFailed (another program does not let go within two seconds), ReaderUnavailable.
    """
    grip = _Grip(calls, name)
    threading.Thread(target=grip.take, name="pcsc connect", daemon=True).start()
    code = grip.wait(TRANSACTION_SECONDS)
    if code != SUCCESS:
        raise refusal(code)
    try:
        yield grip.connected
    finally:
        grip.let_go()


class _Grip:
    """One attempt to get hold of a card, on a context and in a thread of its own.

    pcsc-lite's SCardConnect and SCardBeginTransaction wait without limit while another program holds a transaction, and
    know no cancel. An attempt that nobody waits for any more cleans up after itself when it is granted at last.
    """

    def __init__(self, calls: PcscCalls, name: str) -> None:
        self._calls = calls
        self._name = name
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._abandoned = False
        self._transaction = False
        self._code = SHARING_VIOLATION
        self._context: int | None = None
        self.connected = Connected(0, 0)

    def take(self) -> None:
        code = self._connect()
        with self._lock:
            self._code = code
            self._answered.set()
            kept = code == SUCCESS and not self._abandoned
        if not kept:
            self.let_go()

    def wait(self, seconds: float) -> int:
        """The attempt's code; SHARING_VIOLATION when it takes longer."""
        self._answered.wait(seconds)
        with self._lock:
            self._abandoned = not self._answered.is_set()
            return self._code

    def let_go(self) -> None:
        if self._transaction:
            self._calls.end_transaction(self.connected.handle)
        if self.connected.handle:
            self._calls.disconnect(self.connected.handle)
        if self._context is not None:
            self._calls.release_context(self._context)

    def _connect(self) -> int:
        code, context = self._calls.establish_context()
        if code != SUCCESS:
            return code
        self._context = context
        code, connected = self._calls.connect(context, self._name, exclusive=True)
        if code == SHARING_VIOLATION:
            code, connected = self._calls.connect(context, self._name, exclusive=False)
            self._transaction = code == SUCCESS
        if code == SUCCESS:
            self.connected = connected
        if self._transaction:
            code = self._calls.begin_transaction(connected.handle)
        return code
