"""Lines for people who ask: a person's day, a patient's accesses, one record whole."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, tzinfo
from typing import Final

from kiosk.audit.acts import Act, Stay, acts, stays
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.custody import Custody
from kiosk.audit.record import Record
from kiosk.audit.selection import detail
from kiosk.audit.signing import fingerprint
from kiosk.audit.table import (
    NO_BADGE,
    badge_text,
    counted,
    outcome_text,
    patient_text,
    person_text,
    row,
    seconds_text,
    utc_text,
)
from kiosk.audit.verify import Verification
from readers.text import safe_text

ACCESS_HEADINGS: Final = ("No.", "Time (UTC)", "Person", "Badge", "Outcome", "What")
ACCESS_WIDTHS: Final = (8, 20, 28, 40, 12)
PATH_HEADINGS: Final = ("Step", "No.", "Time (UTC)", "Hash", "What")
PATH_WIDTHS: Final = (12, 8, 20, 64)
DAY_WIDTHS: Final = (10, 12, 12)
DID: Final = {
    "query": ("query", "queries"),
    "look_up": ("query", "queries"),
    "open_study": ("study opened", "studies opened"),
    "open_series": ("series opened", "series opened"),
    "push": ("push", "pushes"),
    "deliver": ("delivery", "deliveries"),
    "confirm": ("confirmation", "confirmations"),
}
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def accesses(records: Iterable[Record]) -> Iterator[str]:
    """A heading, then a line for each act of the records: who, when, with which badge, what, and how it ended."""
    yield row(ACCESS_HEADINGS, ACCESS_WIDTHS)
    for act in acts(records):
        yield row(access_cells(act), ACCESS_WIDTHS)


def access_cells(act: Act) -> tuple[str, ...]:
    """One text for each of ACCESS_HEADINGS."""
    entry = act.entry
    return (
        str(act.first),
        utc_text(act.time),
        person_text(entry.actor),
        badge_text(entry.actor),
        outcome_text(entry) if act.ended else "not ended",
        _what(act),
    )


def day(records: Iterable[Record], on: date, zone: tzinfo | None = None) -> Iterator[str]:
    """What a person did that day, session by session; times are those of `zone`, by default of this machine."""
    found = stays(records)
    yield day_heading(on, zone)
    for stay in found:
        yield ""
        heading, *rows = stay_rows(stay, zone)
        yield row(heading, DAY_WIDTHS)
        yield from (row(cells, DAY_WIDTHS) for cells in rows)
    yield ""
    yield day_sum(found)


def day_heading(on: date, zone: tzinfo | None = None) -> str:
    """The day, and whose times are meant."""
    return safe_text(f"{WEEKDAYS[on.weekday()]}, {on.isoformat()}, {_zone_text(on, zone)}")


def stay_rows(stay: Stay, zone: tzinfo | None = None) -> Iterator[tuple[str, ...]]:
    """A row for the stay and one for each of its acts: time of day, how long it took, how it ended, what it was."""
    who = f"{person_text(stay.person)}, {badge_text(stay.person)}"
    if not stay.session_id:
        yield "", "", "", f"Outside any session: {who}"
    elif stay.login is None:
        yield _clock(stay.opened_at, zone), "", "", f"Not let in: {who}"
    else:
        until = "still open" if stay.ended_at is None else f"to {_clock(stay.ended_at, zone)}"
        yield _clock(stay.opened_at, zone), seconds_text(stay.seconds), "session", f"Session {until}: {who}"
    for act in stay.acts:
        entry = act.entry
        outcome = outcome_text(entry) if act.ended else "not ended"
        yield f"  {_clock(act.time, zone)}", seconds_text(act.seconds), outcome, f"  {_what(act)}"


def day_sum(found: tuple[Stay, ...]) -> str:
    """How many sessions, how long in all, and what was done in them."""
    if not found:
        return "Nothing is on record."
    sessions = [stay for stay in found if stay.login is not None]
    done = Counter(act.entry.act for stay in found for act in stay.acts)
    told = [counted(done[name], *DID[name]) for name in DID if done[name]]
    lasted = sum(stay.seconds or 0.0 for stay in sessions)
    parts = (f"{counted(len(sessions), 'session')}, {seconds_text(lasted)} in all", *told)
    return f"{', '.join(parts)}." if sessions else f"{', '.join(('No session', *told))}."


def path_lines(custody: Custody, sealed: int | None) -> Iterator[str]:
    """The path of a push, link by link with number, time and hash, then its gaps. `sealed` is the checkpoint that signs
    for all of it."""
    badge = ";".join(custody.badge) or NO_BADGE
    yield safe_text(f"Study {custody.study}", 1024)
    whither = f"Push {custody.job_id or '?'} to {custody.destination or '?'}"
    yield safe_text(f"{whither} by {custody.person or '?'}, {badge}", 1024)
    yield row(PATH_HEADINGS, PATH_WIDTHS)
    for link in custody.links:
        yield row((link.step, str(link.sequence), utc_text(link.time), link.hash.hex(), link.said), PATH_WIDTHS)
    for gap in custody.gaps:
        yield safe_text(f"Gap: {gap}", 1024)
    if sealed is None:
        yield f"Gap: no checkpoint signs for record {custody.last} yet."
    elif not custody.gaps:
        records = len({link.sequence for link in custody.links})
        yield f"The path is unbroken: {counted(records, 'record')}, signed for by checkpoint {sealed}."


def chain_line(found: Verification, checkpoint: Checkpoint | None, public_key: bytes) -> str:
    """Whether the chain is whole, and how far it is signed for by its last checkpoint."""
    if not found.whole:
        return safe_text(found.sentence, 1024)
    sentence = f"The chain is whole: {counted(found.records, 'record')}, head {found.head.hash.hex()}."
    if checkpoint is None:
        return safe_text(f"{sentence} Nothing is signed for yet.", 1024)
    signed = (
        f"Last checkpoint: number {checkpoint.number}, of record {checkpoint.sequence}, {utc_text(checkpoint.time)}"
    )
    return safe_text(f"{sentence} {signed}, key {fingerprint(public_key)}.", 1024)


def _what(act: Act) -> str:
    entry = act.entry
    study = detail(entry, "study")
    whom = f"; patient {patient_text(entry.patient)}" if entry.patient else ""
    return entry.summary + whom + (f"; study {study}" if study else "")


def _clock(time: datetime, zone: tzinfo | None) -> str:
    return time.astimezone(zone).strftime("%H:%M:%S")


def _zone_text(on: date, zone: tzinfo | None) -> str:
    there = datetime(on.year, on.month, on.day, 12, tzinfo=zone)
    there = there if zone else there.astimezone()
    offset = there.strftime("%z")
    name = there.strftime("%Z")
    return "times of UTC" if name == "UTC" else f"times of {name} (UTC{offset[:3]}:{offset[3:5]})"
