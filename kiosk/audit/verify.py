"""The verifier: every record hashed again, every proof checked again, from the file alone."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiosk.audit import store
from kiosk.audit.canonical import decode_body
from kiosk.audit.chain import link
from kiosk.audit.decode import RecordError
from kiosk.audit.read_only import ReadOnlyTrail
from kiosk.audit.record import Head
from kiosk.errors import TrailError

# In canonical JSON a quotation mark inside a string is escaped: these bytes are the field and nothing else.
PROOF_FIELD: Final = b'"proof":{'


@dataclass(frozen=True)
class Verification:
    """What was found. `records` counts those that are good from the first on; `head` is the last of them.

    `first_bad` is the place of the first bad or missing record, None when the chain is whole or when the fault is not
    at a record. `proofs` counts those that hold, `unknown_proofs` those of algorithms that cannot be checked here.
    """

    whole: bool
    records: int
    head: Head
    first_bad: int | None
    sentence: str
    kiosk_id: str = ""
    proofs: int = 0
    unknown_proofs: int = 0


class _Bad(Exception):
    def __init__(self, place: int | None, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place
        self.sentence = sentence


class _Chain:
    """The chain as far as it was found good."""

    def __init__(self, identity: store.Identity) -> None:
        self.kiosk_id = identity.kiosk_id
        self.sequence = 0
        self.hash = identity.genesis
        self.proofs = 0
        self.unknown_proofs = 0

    def take(self, row: store.Row) -> None:
        """The next record; raises _Bad."""
        place = self.sequence + 1
        if row.sequence != place:
            raise _Bad(place, f"Record {place} is missing.")
        if link(self.hash, place, row.body) != row.hash:
            raise _Bad(place, f"Record {place} was changed, or is not the one that was written there.")
        if PROOF_FIELD in row.body:
            self._check_proof(place, row.body)
        self.sequence, self.hash = place, row.hash

    def _check_proof(self, place: int, body: bytes) -> None:
        # Only a trail with proofs needs the cryptography library; a terminal that imports kiosk.audit starts without.
        from kiosk.audit.proofs import ProofState, check

        try:
            entry, _, _ = decode_body(body)
        except RecordError as error:
            raise _Bad(place, f"Record {place} cannot be read: {error}.") from None
        state = check(entry.proof) if entry.proof else ProofState.FAILS
        if state is ProofState.FAILS:
            raise _Bad(place, f"The proof in record {place} does not hold.")
        self.proofs += state is ProofState.HOLDS
        self.unknown_proofs += state is ProofState.UNKNOWN_ALGORITHM


def verify(path: Path | str, expected_head: Head | None = None) -> Verification:
    """Reads the whole trail at `path`, in constant memory, without changing it.

    `expected_head` is a head that somebody kept elsewhere: the chain must lead through it, which is how a trail cut at
    its end or put back to an older copy is found. Raises TrailError when there is no trail to read.
    """
    path = Path(path)
    before = _signature(path)
    verification = _verify(path, expected_head)
    if not verification.whole and _signature(path) != before:
        # A kiosk that starts while the file is read without locks changes it under the reader: read it again.
        return _verify(path, expected_head)
    return verification


def _verify(path: Path, expected_head: Head | None) -> Verification:
    with ReadOnlyTrail(path) as trail:
        chain = _Chain(trail.identity)
        try:
            _follow(trail, chain, expected_head)
        except _Bad as bad:
            return _found(chain, bad.place, bad.sentence)
        except (sqlite3.DatabaseError, TrailError) as error:
            return _found(chain, chain.sequence + 1, f"Record {chain.sequence + 1} cannot be read: {error}")
    return _found(chain, None, "")


def _follow(trail: ReadOnlyTrail, chain: _Chain, expected_head: Head | None) -> None:
    connection = trail.connection
    # One transaction: records that a running kiosk appends meanwhile are not half seen.
    connection.execute("BEGIN")
    head = trail.head()
    ((first, last),) = connection.execute("SELECT min(sequence), max(sequence) FROM record").fetchall()
    if first is not None and first < 1:
        raise _Bad(None, "There are records before the first.")
    _meet(chain, expected_head)
    for start, stop in store.stretches(1, last or 0):
        for row in store.rows(connection, start, stop):
            chain.take(row)
            _meet(chain, expected_head)
        if chain.sequence < stop:
            raise _Bad(chain.sequence + 1, f"Record {chain.sequence + 1} is missing.")
    if chain.sequence != head.sequence or chain.hash != head.hash:
        missing = chain.sequence + 1 if chain.sequence < head.sequence else None
        raise _Bad(missing, f"The trail ends at record {chain.sequence}, its head is another: {head.sequence}.")
    if expected_head is not None and chain.sequence < expected_head.sequence:
        place = chain.sequence + 1
        raise _Bad(place, f"Records from {place} to {expected_head.sequence} are missing at the end.")
    if not store.schema_is_whole(connection):
        raise _Bad(None, "The file has lost what keeps its records from being changed.")


def _meet(chain: _Chain, expected: Head | None) -> None:
    if expected is not None and chain.sequence == expected.sequence and chain.hash != expected.hash:
        raise _Bad(chain.sequence, f"Record {chain.sequence} is not the one that was known elsewhere.")


def _found(chain: _Chain, first_bad: int | None, fault: str) -> Verification:
    head = Head(chain.sequence, chain.hash)
    count = f"{chain.sequence} record{'' if chain.sequence == 1 else 's'}"
    whole = not fault
    if whole:
        proofs = f", {chain.proofs} proofs hold" if chain.proofs else ""
        unknown = f", {chain.unknown_proofs} proofs of an unknown kind" if chain.unknown_proofs else ""
        fault = f"The chain is whole: {count}{proofs}{unknown}, head {head.hash.hex()}."
    return Verification(
        whole, chain.sequence, head, first_bad, fault, chain.kiosk_id, chain.proofs, chain.unknown_proofs
    )


def _signature(path: Path) -> tuple[int, int, bool] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, path.with_name(path.name + "-wal").exists()
