"""What a destination said of keeping what a push sent it, as the record of a delivery or of its confirmation has it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kiosk.audit.record import Entry
from kiosk.audit.selection import detail
from kiosk.audit.table import counted

COMMITMENT: Final = "commitment"
LISTED: Final = "listed"
NOT_ASKED: Final = "none"


@dataclass(frozen=True)
class Kept:
    """What is shown of it, a step and what it says each, and what is missing, a sentence each."""

    said: tuple[tuple[str, str], ...] = ()
    gaps: tuple[str, ...] = ()


def kept(entry: Entry, destination: str) -> Kept:
    """Reads the details "verify", "sent", "commitment", "listed", "not_committed", "not_listed", "commitment_owed" and
    "unasked" of the last record that tells of it."""
    verify = detail(entry, "verify")
    if not verify:
        return Kept(gaps=(f"The record does not say whether {destination} keeps what it was sent.",))
    if verify == NOT_ASKED:
        return Kept(((COMMITMENT, f"none: {destination} is not to be asked whether it keeps what it is sent"),))
    committed, listed = tuple(_commitments(entry, COMMITMENT)), _number(detail(entry, LISTED))
    said = [
        (COMMITMENT, f"{destination} keeps {_instances(count)}, by storage commitment {transaction}")
        for transaction, count in committed
    ]
    if listed:
        said.append((LISTED, f"{destination} lists {_instances(listed)} when it is asked at image level"))
    unknown = _number(detail(entry, "sent")) - sum(count for _, count in committed) - listed
    return Kept(tuple(said), tuple(_gaps(entry, destination, unknown)))


def _gaps(entry: Entry, destination: str, unknown: int) -> Iterator[str]:
    for transaction, count in _commitments(entry, "not_committed"):
        yield f"{destination} does not keep {_instances(count)} that it was sent: storage commitment {transaction}."
    if lost := _number(detail(entry, "not_listed")):
        yield f"{destination} does not list {_instances(lost)} that it was sent."
    if owed := detail(entry, "commitment_owed"):
        yield f"{destination} owes storage commitment {owed}: it was asked for, and what came of it is not on record."
    if unknown <= 0:
        return
    if detail(entry, "unasked"):
        yield f"{destination} cannot be asked whether it keeps {_instances(unknown)} that it was sent."
    elif not owed:
        yield f"Whether {destination} keeps {_instances(unknown)} that it was sent is not on record."


def _commitments(entry: Entry, key: str) -> Iterator[tuple[str, int]]:
    for name, value in entry.details:
        if name == key:
            transaction, _, count = value.partition(" ")
            yield transaction, _number(count)


def _instances(count: int) -> str:
    return counted(count, "instance")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
