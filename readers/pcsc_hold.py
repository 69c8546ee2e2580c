"""Holding a card on a PC/SC reader: one thread of its own for everything that pcsc-lite might never return from."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from readers.errors import CardGone, ReaderError, TransmitFailed
from readers.pcsc_calls import (
    CARD_GONE,
    DAEMON_GONE,
    SHARING_VIOLATION,
    SUCCESS,
    Connected,
    PcscCalls,
    PcscUnavailable,
    sentence,
)

TRANSACTION_SECONDS = 2.0
EXCHANGE_SECONDS = 2.5
"""More than a card is given for everything: an answer that takes longer is no use to anybody."""
LEFT = "The card left the reader too soon."
SILENT = "The card does not answer. Take it away and hold it flat against the reader again."

Answer = tuple[int, bytes]


def refusal(code: int) -> ReaderError:
    """The error for a connection that was not made."""
    if code in CARD_GONE:
        return CardGone(LEFT)
    return PcscUnavailable(code) if code in DAEMON_GONE else TransmitFailed(sentence(code))


@contextmanager
def held(calls: PcscCalls, name: str) -> Iterator["Hold"]:
    """A connection that keeps others out: exclusive, or shared within a transaction where others are connected too.

    Raises CardGone, TransmitFailed (another program does not let go within two seconds), ReaderUnavailable.
    """
    hold = Hold(calls, name)
    hold.start()
    code = hold.wait(TRANSACTION_SECONDS)
    if code != SUCCESS:
        raise refusal(code)
    try:
        yield hold
    finally:
        hold.let_go()


class _Job:
    """An exchange that is waited for."""

    def __init__(self, data: bytes, *, with_reader: bool) -> None:
        self.data = data
        self.with_reader = with_reader
        self.done = threading.Event()
        self.answer: Answer = (SUCCESS, b"")


class Hold:
    """One attempt to get hold of a card, and the exchanges with it, on a context and in a thread of its own.

    pcsc-lite's SCardConnect and SCardBeginTransaction wait without limit while another program holds a transaction,
    SCardTransmit as long as the driver does, and none of them knows a cancel. What nobody waits for any more cleans up
    after itself when it returns at last.
    """

    def __init__(self, calls: PcscCalls, name: str) -> None:
        self._calls = calls
        self._name = name
        self._thread = threading.Thread(target=self._run, name="pcsc card", daemon=True)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._abandoned = False
        self._transaction = False
        self._code = SHARING_VIOLATION
        self._context: int | None = None
        self._connected = Connected(0, 0)

    def start(self) -> None:
        """Begins to connect."""
        self._thread.start()

    def wait(self, seconds: float) -> int:
        """The attempt's code; SHARING_VIOLATION when it takes longer."""
        self._answered.wait(seconds)
        with self._lock:
            self._abandoned = not self._answered.is_set()
            return self._code

    def transmit(self, command: bytes) -> Answer:
        """Code and raw response of one APDU; raises TransmitFailed when none comes."""
        return self._exchanged(_Job(command, with_reader=False))

    def control(self, data: bytes) -> Answer:
        """Code and the reader's answer to an escape command; raises TransmitFailed when none comes."""
        return self._exchanged(_Job(data, with_reader=True))

    def let_go(self) -> None:
        """Ends the connection; returns when that is done, but does not wait for a card that hangs."""
        self._jobs.put(None)
        if not self._abandoned:
            self._thread.join(TRANSACTION_SECONDS)

    def _exchanged(self, job: _Job) -> Answer:
        if not self._abandoned:
            self._jobs.put(job)
            self._abandoned = not job.done.wait(EXCHANGE_SECONDS)
        if self._abandoned:
            raise TransmitFailed(SILENT)
        return job.answer

    def _run(self) -> None:
        code = self._connect()
        with self._lock:
            self._code = code
            self._answered.set()
            kept = code == SUCCESS and not self._abandoned
        while kept and (job := self._jobs.get()) is not None:
            if job.with_reader:
                job.answer = self._calls.control(self._connected.handle, job.data)
            else:
                job.answer = self._calls.transmit(self._connected, job.data)
            job.done.set()
        self._disconnect()

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
            self._connected = connected
        if self._transaction:
            code = self._calls.begin_transaction(connected.handle)
        return code

    def _disconnect(self) -> None:
        if self._transaction:
            self._calls.end_transaction(self._connected.handle)
        if self._connected.handle:
            self._calls.disconnect(self._connected.handle)
        if self._context is not None:
            self._calls.release_context(self._context)
