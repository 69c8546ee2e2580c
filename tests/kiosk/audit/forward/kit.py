"""A trail to deliver, a sink to deliver to, and what should have arrived."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.audit import AuditMessage, AuditSource, Outcome, ReadOnlyTrail, Trail, events
from kiosk.audit.checkpoint import Occasion
from kiosk.audit.forward import Forwarder, Header, Kind, Pace, Sink, SinkStatus
from kiosk.audit.forward.stamp import trail_name
from kiosk.audit.forward.stream import Position, parcels
from kiosk.clock import SystemClock
from tests.kiosk.audit.forward.authority import Authority
from tests.kiosk.audit.forward.receivers import PATIENCE, Receiver, await_that, first_of_each
from tests.kiosk.audit.samples import KIOSK, PACS, PATIENT, RADIOLOGIST, STUDY, event

SOURCE = AuditSource("kiosk-7", "north-hospital")
PACE = Pace(poll=0.05, first_retry=0.1, longest_retry=0.5, cursor=0.1, linger=0.5, farewell=10.0)
LARGE = 100 * 1024
"""Octets of text in the largest messages: rsyslog cuts at 8 KiB by default, syslog-ng at 64 KiB."""
LARGE_EVERY = 97


def pushed(number: int) -> tuple[AuditMessage, ...]:
    """One message or two, every so often a large one, with text that is not ASCII."""
    said = f"Grüße Nr. {number} " + ("€ " * (LARGE // 4) if number % LARGE_EVERY == 3 else "")
    outcome = Outcome.SERIOUS if number % 5 == 0 else Outcome.SUCCESS
    messages = events.transferred(RADIOLOGIST, KIOSK, PACS, (STUDY,), PATIENT, outcome, said)
    return messages * 2 if number % 11 == 0 else messages


def new_trail(folder: Path) -> Trail:
    """An open trail in that folder; the caller closes it."""
    trail = Trail(folder / "trail" / "trail.db", "kiosk-7", SOURCE, SystemClock(), reserve_bytes=0)
    trail.open()
    return trail


def append(trail: Trail, count: int) -> int:
    """So many records; every seventh has no message. How many messages they have."""
    first, messages = trail.head().sequence + 1, 0
    for number in range(first, first + count):
        entry = event(number, () if number % 7 == 0 else pushed(number))
        trail.append(entry)
        messages += len(entry.messages)
    return messages


def appending(trail: Trail, count: int) -> threading.Thread:
    """A thread that appends records with so many messages, a few at a time, and then one more checkpoint."""
    chance = random.Random(4711)

    def run() -> None:
        left = count
        while left > 0:
            left -= append(trail, chance.randrange(1, 20))
            time.sleep(chance.uniform(0, 0.03))
        seal(trail)

    thread = threading.Thread(target=run, name="appending", daemon=True)
    thread.start()
    return thread


def expected(path: Path) -> list[str]:
    """The marks of what is to arrive, in order."""
    with ReadOnlyTrail(path) as trail:
        name = trail_name(trail.identity)
        found: list[tuple[int, int, str]] = [
            (record.sequence, 0, f"{name}/{record.sequence}/{part + 1}")
            for record in trail.read()
            for part in range(len(record.entry.messages))
        ]
        found += [(one.sequence, 1, f"{name}/checkpoint/{one.number}") for one in trail.checkpoints()]
    return [mark for _, _, mark in sorted(found, key=lambda item: item[:2])]


def sent(path: Path) -> dict[str, str]:
    """The XML of each message that is to arrive, by its mark."""
    texts: list[str] = []
    position = Position()
    with ReadOnlyTrail(path) as trail:
        name = trail_name(trail.identity)
        while page := parcels(trail, position, name, SOURCE):
            texts += [one.xml for parcel in page for one in parcel.messages]
            position = page[-1].position
    return dict(zip(expected(path), texts, strict=True))


def sink_to(receiver: Receiver, authority: Authority, resend_seconds: float = 1.0) -> Sink:
    """The receiver as a sink; its timeout is longer than a busy machine lets anybody wait, or messages came twice."""
    kind = Kind(receiver.kind)
    return Sink(
        "ARR",
        kind,
        "127.0.0.1",
        receiver.port,
        credentials=authority.credentials() if kind.is_encrypted else None,
        header=Header("kiosk-7.test"),
        timeout=30.0,
        resend_seconds=0.0 if kind is Kind.RELP else resend_seconds,
    )


@contextmanager
def delivering(sink: Sink, trail_path: Path, folder: Path, pace: Pace = PACE) -> Iterator[Forwarder]:
    """A forwarder at work, reading the trail's file beside whoever writes it."""
    with Forwarder([sink], lambda: ReadOnlyTrail(trail_path), folder / "cursors", SOURCE, SystemClock(), pace) as one:
        yield one


def status(forwarder: Forwarder) -> SinkStatus:
    """How its only sink stands."""
    return forwarder.status()[0]


def await_arrival(receiver: Receiver, path: Path, seconds: float = PATIENCE) -> list[str]:
    """Waits until everything in the trail has arrived, in order; the marks as they came, duplicates too."""
    texts = sent(path)

    def missing() -> set[str]:
        return texts.keys() - {one.mark for one in receiver.messages()}

    await_that(lambda: not missing(), lambda: f"everything has arrived; {len(missing())} have not", seconds)
    messages = receiver.messages()
    assert first_of_each(messages) == list(texts)
    broken = [message.mark for message in messages if message.xml != texts[message.mark]]
    assert not broken
    return [message.mark for message in messages]


def await_settled(forwarder: Forwarder, path: Path) -> None:
    """Waits until nothing would be sent again."""
    with ReadOnlyTrail(path) as trail:
        end = trail.head().sequence
    await_that(lambda: status(forwarder).settled == end, "the cursor stands at the end of the trail")


def await_fault(forwarder: Forwarder, is_meant: Callable[[str], bool]) -> str:
    """Waits for a fault of that kind; the sentence."""
    found: list[str] = []

    def is_found() -> bool:
        found.append(status(forwarder).fault)
        return is_meant(found[-1])

    await_that(is_found, lambda: f"such a fault; it says {found[-1]!r}")
    return found[-1]


def seal(trail: Trail) -> None:
    """One more checkpoint."""
    trail.checkpoint(Occasion.BUSY)
