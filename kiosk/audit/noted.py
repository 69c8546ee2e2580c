"""What the file of a trail notes of acts that have not ended, held against its records: nobody hides or invents one."""

import sqlite3
from collections.abc import Collection

from kiosk.audit import store
from kiosk.audit.anchor import BrokenTrail
from kiosk.audit.chain import link
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.intents import Intent, OpenIntents


def open_intents(connection: sqlite3.Connection, sealed: Checkpoint | None, last: int) -> OpenIntents:
    """Those open after record `last`: what is noted up to the newest checkpoint, which signs for it, and what the
    records since say; so many records are read as no checkpoint covers. Inside one transaction.

    Raises BrokenTrail, naming the record where it can, when the notes are not what the records say.
    """
    start = sealed.sequence if sealed else 0
    noted = store.noted(connection)
    intents = OpenIntents(_begun(connection, place) for place in noted if place <= start)
    if intents.digest != (sealed.open_intents if sealed else OpenIntents().digest):
        raise BrokenTrail(
            f"The acts that the audit trail notes as not ended up to record {start} are not those that its last "
            "checkpoint was signed over."
        )
    for first, stop in store.stretches(start + 1, last):
        for row in store.rows(connection, first, stop):
            intents.take(row.sequence, row.body, row.hash)
    if said := difference(noted, intents):
        raise BrokenTrail(said)
    return intents


def difference(noted: Collection[int], intents: OpenIntents) -> str:
    """The first place at which notes and records differ, in a sentence; empty when they do not."""
    for place in sorted(intents.noted.symmetric_difference(noted)):
        if place in intents.noted:
            return f"Record {place} of the audit trail began an act, and its file does not note that any more."
        return f"Record {place} of the audit trail is noted as an act that has not ended, and is none."
    return ""


def _begun(connection: sqlite3.Connection, place: int) -> Intent:
    """The intent at a place, its record hashed again."""
    one = OpenIntents()
    for row in store.rows(connection, place, place):
        if link(store.hash_before(connection, place), place, row.body) != row.hash:
            raise BrokenTrail(f"The audit trail is broken at record {place}.")
        one.take(place, row.body, row.hash)
    if not one:
        raise BrokenTrail(f"Record {place} of the audit trail is noted as an act that has not ended, and is none.")
    return one.all[0]
