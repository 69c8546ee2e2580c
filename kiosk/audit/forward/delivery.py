"""One sink's thread: reads on where the cursor stands, sends, moves the cursor, and tries again after failures."""

import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from kiosk.audit.forward.channel import Channel
from kiosk.audit.forward.cursor import CursorFile, Standing
from kiosk.audit.forward.datagrams import DatagramChannel
from kiosk.audit.forward.file import FileChannel
from kiosk.audit.forward.octets import OctetChannel
from kiosk.audit.forward.relp import RelpChannel
from kiosk.audit.forward.sink import Kind, NodeRefused, Sink, SinkError
from kiosk.audit.forward.stamp import trail_name
from kiosk.audit.forward.stream import Parcel, Position, parcels, resume
from kiosk.audit.forward.syslog import message
from kiosk.audit.forward.window import Window
from kiosk.audit.message import AuditSource
from kiosk.audit.port import TrailReader
from kiosk.clock import Clock
from kiosk.errors import TrailError
from readers.text import safe_text

OpenTrail: TypeAlias = Callable[[], AbstractContextManager[TrailReader]]

BATCH_BYTES: Final = 256 * 1024
LONGEST_FAULT: Final = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """Seconds: between two looks at the trail; before the first new try after a failure and at the longest, doubling
    between; between two writings of the cursor; how long an idle connection stays; how long stopping may take."""

    poll: float = 0.5
    first_retry: float = 0.5
    longest_retry: float = 60.0
    cursor: float = 0.5
    linger: float = 5.0
    farewell: float = 5.0


def open_channel(sink: Sink) -> Channel:
    """A new way to that sink; raises SinkError."""
    match sink.kind:
        case Kind.TLS | Kind.TCP:
            return OctetChannel.open(sink)
        case Kind.RELP:
            return RelpChannel.open(sink)
        case Kind.UDP:
            return DatagramChannel.open(sink)
        case Kind.FILE:
            return FileChannel.open(sink)


class Delivery:
    """Sends one trail to one sink, in order and at least once, for as long as it runs. Reads the trail, never writes.

    `open_trail` opens it for reading; it is called for every stretch, in this thread. `source` is named in messages
    about the trail itself.
    """

    def __init__(
        self,
        sink: Sink,
        open_trail: OpenTrail,
        cursor: CursorFile,
        source: AuditSource,
        clock: Clock,
        pace: Pace | None = None,
    ) -> None:
        self._sink = sink
        self._open_trail = open_trail
        self._cursor = cursor
        self._source = source
        self._clock = clock
        self._pace = pace or Pace()
        self._chance = random.SystemRandom()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._channel: Channel | None = None
        self._standing = Standing()
        self._written = Standing()
        self._written_at = 0.0
        self._window: Window | None = None
        self._trail = ""
        self._failures = 0
        self._on_channel = 0
        self._opened_at = 0.0
        self._sent_at = 0.0
        self._ends_at = float("inf")

    def start(self) -> None:
        """Begins the thread."""
        self._thread = threading.Thread(target=self._run, name=f"deliver-{self._sink.name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something new, or reason to try again at once."""
        self._wake.set()

    def stop(self) -> None:
        """Sends what can be sent quickly, and ends; whatever is left is sent when it starts again."""
        self._ends_at = self._clock.monotonic() + self._pace.farewell
        self._stopping.set()
        self._wake.set()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def join(self) -> None:
        """Waits for the end of the thread, after `stop`."""
        if self._thread is None:
            return
        self._thread.join(max(0.0, self._ends_at - self._clock.monotonic()))
        channel = self._channel
        if channel is not None:
            channel.abort()
        self._thread.join(self._pace.farewell)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            # One more turn after the order to stop, for what was recorded last; not where the sink fails anyway.
            is_last = self._stopping.is_set()
            if is_last and self._failures:
                break
            try:
                self._deliver()
                self._succeeded()
            except (SinkError, TrailError) as error:
                self._failed(str(error), refused=isinstance(error, NodeRefused))
            if not is_last:
                self._rest(self._retry_seconds() if self._failures else self._pace.poll)
        self._save()

    def _deliver(self) -> None:
        """Sends until nothing is left and the channel is closed in good order; raises SinkError and TrailError."""
        window = self._begin()
        try:
            while True:
                found = self._fetch(window)
                for batch in self._batches(found):
                    self._send(window, batch)
                self._look_back(window)
                if self._channel is not None and self._should_close(window, is_idle=not found):
                    self._close(window)
                if not found:
                    self._save()
                    if self._stopping.is_set() or (window.is_settled and self._channel is None):
                        return
                    self._open().attend(self._pace.poll)
        finally:
            channel, self._channel = self._channel, None
            if channel is not None:
                channel.abort()
                window.confirm(channel.confirmed, self._clock.monotonic())

    def _begin(self) -> Window:
        """Takes up where the cursor stands, in the trail that it means, or at the beginning of another one."""
        with self._open_trail() as trail:
            identity = trail.identity
            if self._window is None:
                standing = self._cursor.read()
                if standing.trail != identity.genesis:
                    if standing.trail:
                        log.warning("%s: another trail begins", safe_text(self._sink.name))
                    standing = Standing(trail=identity.genesis)
                self._standing = self._written = replace(standing, sent=standing.settled.sequence)
                self._window = Window(standing.settled, self._sink.resend_seconds)
                self._trail = trail_name(identity)
            elif self._standing.trail != identity.genesis:
                raise TrailError("The audit trail was replaced by another one while it was being delivered.")
            here = resume(trail, self._window.settled)
        if here != self._window.settled:
            self._window = self._pass_over(here)
        return self._window

    def _pass_over(self, here: Position) -> Window:
        """Goes on at the boundary up to which records were pruned, and says so for good."""
        log.warning("%s: records up to %d were pruned before they were sent", safe_text(self._sink.name), here.sequence)
        self._standing = replace(self._standing, settled=here, sent=here.sequence, pruned=here.sequence)
        self._save()
        return Window(here, self._sink.resend_seconds)

    def _fetch(self, window: Window) -> list[Parcel]:
        if self._clock.monotonic() >= self._ends_at:
            return []
        with self._open_trail() as trail:
            return parcels(trail, window.sent, self._trail, self._source)

    def _batches(self, found: list[Parcel]) -> Iterator[list[tuple[Parcel, list[bytes]]]]:
        """Parcels and their messages in octets, cut where they become many."""
        batch: list[tuple[Parcel, list[bytes]]] = []
        size = 0
        for parcel in found:
            messages = [message(each, self._sink.header, self._trail) for each in parcel.messages]
            batch.append((parcel, messages))
            size += sum(map(len, messages))
            if size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _send(self, window: Window, batch: list[tuple[Parcel, list[bytes]]]) -> None:
        messages = [one for _, several in batch for one in several]
        if messages:
            self._open().send(messages)
            self._sent_at = self._clock.monotonic()
            self._standing = replace(self._standing, sent_at=self._clock.now())
            self._forgive()
        now = self._clock.monotonic()
        for parcel, several in batch:
            self._on_channel += len(several)
            window.send(parcel.position, self._on_channel, now)

    def _open(self) -> Channel:
        """The channel; a new one also only to watch whether the other end outlives what it was sent."""
        if self._channel is None:
            self._channel = open_channel(self._sink)
            self._on_channel, self._opened_at = 0, self._clock.monotonic()
        return self._channel

    def _look_back(self, window: Window) -> None:
        """Moves the cursor past what has arrived."""
        before = window.settled
        confirmed = self._channel.confirmed if self._channel is not None else self._on_channel
        window.confirm(confirmed, self._clock.monotonic())
        if window.settled != before:
            self._failures = 0
        self._note(window)

    def _note(self, window: Window) -> None:
        self._standing = replace(self._standing, settled=window.settled, sent=window.sent.sequence)
        if self._clock.monotonic() - self._written_at >= self._pace.cursor:
            self._save()

    def _should_close(self, window: Window, *, is_idle: bool) -> bool:
        now = self._clock.monotonic()
        if is_idle and self._stopping.is_set():
            return True
        if is_idle and now - self._sent_at >= max(window.patience, self._pace.linger):
            return True
        channel = self._channel
        proves = channel is not None and channel.proves_at_close
        return proves and not is_idle and now - self._opened_at >= max(window.patience, self._pace.linger)

    def _close(self, window: Window) -> None:
        channel = self._channel
        if channel is None:
            return
        channel.close()
        self._channel = None
        self._look_back(window)
        window.begin_channel()
        self._on_channel = 0

    def _succeeded(self) -> None:
        self._failures = 0
        self._forgive()
        self._save()

    def _forgive(self) -> None:
        if self._standing.fault:
            log.info("%s takes the audit trail again", safe_text(self._sink.name))
            self._standing = replace(self._standing, fault="", fault_at=None, refused=False)

    def _failed(self, sentence: str, *, refused: bool) -> None:
        self._failures += 1
        if sentence != self._standing.fault:
            log.warning("%s", safe_text(sentence, LONGEST_FAULT))
        since = self._standing.fault_at or self._clock.now()
        fault = safe_text(sentence, LONGEST_FAULT)
        self._standing = replace(self._standing, fault=fault, fault_at=since, refused=refused)
        if self._window is not None:
            self._window.fail()
            self._note(self._window)
        self._save()

    def _retry_seconds(self) -> float:
        seconds = self._pace.first_retry * 2.0 ** min(self._failures - 1, 20)
        return min(seconds, self._pace.longest_retry) * self._chance.uniform(0.5, 1.0)

    def _rest(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _save(self) -> None:
        """Writes the cursor when it has changed. Where that fails, the old one stands: more would be sent again."""
        if self._standing == self._written or not self._standing.trail:
            return
        try:
            self._cursor.write(self._standing)
        except OSError as error:
            log.warning("the cursor of %s cannot be written: %s", safe_text(self._sink.name), error.strerror)
        else:
            self._written = self._standing
        self._written_at = self._clock.monotonic()
