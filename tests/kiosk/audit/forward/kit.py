"""A trail to deliver, a sink to deliver to, and what should have arrived."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.audit import AuditMessage, AuditSource, Outcome, ReadOnlyTrail, Trail, events
from kiosk.audit.checkpoint import Occasion
from kiosk.audit.forward import Forwarder, Header, Kind, Pace, Sink, SinkStatus
from kiosk.audit.forward.stamp import trail_name
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


def append(trail: Trail, count: int) -> None:
    """So many records; every seventh has no message."""
    first = trail.head().sequence + 1
    for number in range(first, first + count):
        trail.append(event(number, () if number % 7 == 0 else pushed(number)))


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


def sink_to(receiver: Receiver, authority: Authority, resend_seconds: float = 1.0) -> Sink:
    """The receiver as a sink."""
    kind = Kind(receiver.kind)
    return Sink(
        "ARR",
        kind,
        "127.0.0.1",
        receiver.port,
        credentials=authority.credentials() if kind.is_encrypted else None,
        header=Header("kiosk-7.test"),
        timeout=5.0,
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
    wanted = set(expected(path))

    def is_complete() -> bool:
        text = receiver.output.read_bytes() if receiver.output.exists() else b""
        return text.count(b"</AuditMessage>\n") >= len(wanted) and {one.mark for one in receiver.messages()} >= wanted

    await_that(is_complete, "everything has arrived", seconds)
    messages = receiver.messages()
    assert first_of_each(messages) == expected(path)
    return [message.mark for message in messages]


def await_settled(forwarder: Forwarder, path: Path) -> None:
    """Waits until nothing would be sent again."""
    with ReadOnlyTrail(path) as trail:
        end = trail.head().sequence
    await_that(lambda: status(forwarder).settled == end, "the cursor stands at the end of the trail")


def await_fault(forwarder: Forwarder, is_meant: Callable[[str], bool]) -> str:
    """Waits for a fault of that kind; the sentence."""
    await_that(lambda: is_meant(status(forwarder).fault), f"such a fault; it says {status(forwarder).fault!r}")
    return status(forwarder).fault


def seal(trail: Trail) -> None:
    """One more checkpoint."""
    trail.checkpoint(Occasion.BUSY)
