"""The verifier: every record hashed again, every proof and signature checked again, from the trail alone."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from kiosk.audit import store
from kiosk.audit.boundary import Beginning
from kiosk.audit.canonical import decode_body
from kiosk.audit.chain import BODY_PREFIX, LINK_PREFIX
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.decode import RecordError
from kiosk.audit.evidence import Bad, Evidence, Known
from kiosk.audit.intents import EVENT, PHASE, OpenIntents
from kiosk.audit.mac_key import MacKey, commitment
from kiosk.audit.noted import difference
from kiosk.audit.read_only import ReadOnlyTrail
from kiosk.audit.record import Head
from kiosk.audit.signing import fingerprint
from kiosk.errors import TrailError

# In canonical JSON a quotation mark inside a string is escaped: these bytes are the field and nothing else. Keys are
# sorted: a proof stands behind the phase, or nowhere.
PROOF_FIELD: Final = b'"proof":{'
PROOF_WITHIN: Final = 40
PIECE: Final = 64
"""Records that are in memory at a time."""


@dataclass(frozen=True)
class Verification:
    """What was found. `records` counts those that are good from the first there is on; `head` is the last of them.

    `first_bad` is the place of the first bad or missing record, None when the chain is whole or when the fault is not
    at a record. `proofs` counts those that hold, `unknown_proofs` those of algorithms that cannot be checked here;
    `checkpoints` and `anchors` those that were met. `foreign` means that the trail agrees with itself, not with the
    evidence: it was cut, put back, begun anew, or signed with another key. `intents` are the acts that have not ended.
    """

    whole: bool
    records: int
    head: Head
    first_bad: int | None
    sentence: str
    kiosk_id: str = ""
    proofs: int = 0
    unknown_proofs: int = 0
    checkpoints: int = 0
    anchors: int = 0
    foreign: bool = False
    intents: OpenIntents = field(default_factory=OpenIntents, repr=False, compare=False)


class Stored(Protocol):
    """A trail as it is stored, and as long as it is read, standing still or only growing."""

    @property
    def identity(self) -> store.Identity:
        """What the chain begins with."""

    def beginning(self) -> Beginning:
        """What comes before its first record."""

    def head(self) -> Head:
        """The head as it gives it."""

    def rows(self, first: int, limit: int = store.BATCH) -> Sequence[store.Row]:
        """At most `limit` records from `first` on."""

    def checkpoint_rows(self, first: int, limit: int = store.BATCH) -> Sequence[store.CheckpointRow]:
        """At most `limit` checkpoints from `first` on."""


class _Chain:
    """The chain as far as it was found good."""

    def __init__(self, identity: store.Identity, evidence: Evidence, beginning: Beginning) -> None:
        self.identity = identity
        self.beginning = beginning
        self.sequence, self.hash, self.checkpoints, self._previous, before = beginning
        self.intents = OpenIntents(before)
        self.proofs = 0
        self.unknown_proofs = 0
        self.anchors = 0
        first = _first_key(identity, evidence)
        self._mac = first.at(beginning.checkpoint) if first else None

    def take(self, rows: Iterable[tuple[int, bytes, bytes, bytes]]) -> None:
        """The next records; raises Bad."""
        place, value = self.sequence, self.hash
        mac = self._mac
        sequence = place
        try:
            for sequence, body, recorded, stamp in rows:
                if sequence != place + 1:
                    raise Bad(place + 1, f"Record {place + 1} is missing.")
                leaf = sha256(BODY_PREFIX + body).digest()
                if sha256(LINK_PREFIX + value + sequence.to_bytes(8, "big") + leaf).digest() != recorded:
                    raise Bad(sequence, f"Record {sequence} was changed, or is not the one that was written there.")
                at = body.rfind(PHASE)
                if body.find(PROOF_FIELD, at, at + PROOF_WITHIN) >= 0:
                    self._check_proof(sequence, body)
                if mac is not None and mac.record(recorded) != stamp:
                    raise Bad(sequence, f"Record {sequence} was not written with the trail's key.")
                if not body.startswith(EVENT, at):
                    self.intents.take(sequence, body, recorded)
                place, value = sequence, recorded
        except TypeError:  # what should be octets is text or a number
            raise Bad(sequence, f"Record {sequence} is damaged.") from None
        except RecordError as error:
            raise Bad(sequence, f"Record {sequence} cannot be read: {error}.") from None
        finally:
            self.sequence, self.hash = place, value

    def seal(self, row: store.CheckpointRow) -> None:
        """The next checkpoint, once the records up to it were taken; raises Bad."""
        number, place = self.checkpoints + 1, self.sequence
        try:
            checkpoint = Checkpoint.from_body(row.body, row.signature)
        except RecordError:
            raise Bad(place, f"Checkpoint {number} after record {place} cannot be read.") from None
        if not checkpoint.is_signed_by(self.identity.public_key):
            raise Bad(place, f"Checkpoint {number} after record {place} does not carry the trail's signature.")
        said = (checkpoint.kiosk_id, checkpoint.number, checkpoint.sequence, checkpoint.previous)
        if said != (self.identity.kiosk_id, number, place, self._previous):
            raise Bad(place, f"Checkpoint {number} after record {place} is not the one that was written there.")
        if checkpoint.hash != self.hash:
            raise Bad(place, f"Record {place} is not the one that checkpoint {number} was signed over.")
        if checkpoint.open_intents != self.intents.digest:
            raise Bad(place, f"Checkpoint {number} after record {place} was signed over other acts that had not ended.")
        self.intents.seal()
        if self._mac is not None:
            if self._mac.checkpoint(row.body) != row.mac:
                raise Bad(place, f"Checkpoint {number} after record {place} was not written with the trail's key.")
            self._mac = self._mac.at(number)
        self.checkpoints, self._previous = number, checkpoint.digest

    def _check_proof(self, place: int, body: bytes) -> None:
        # Only a trail with proofs needs the cryptography library; a terminal that imports kiosk.audit starts without.
        from kiosk.audit.proofs import ProofState, check

        try:
            entry, _, _ = decode_body(body)
        except RecordError as error:
            raise Bad(place, f"Record {place} cannot be read: {error}.") from None
        state = check(entry.proof) if entry.proof else ProofState.FAILS
        if state is ProofState.FAILS:
            raise Bad(place, f"The proof in record {place} does not hold.")
        self.proofs += state is ProofState.HOLDS
        self.unknown_proofs += state is ProofState.UNKNOWN_ALGORITHM


def verify(path: Path | str, expected_head: Head | None = None, evidence: Evidence | None = None) -> Verification:
    """Reads the whole trail at `path`, in constant memory, without changing it.

    `expected_head` is short for evidence of a head alone: somebody kept it elsewhere, and the chain must lead through
    it, which is how a trail cut at its end or put back to an older copy is found. Raises TrailError when there is no
    trail to read.
    """
    path = Path(path)
    evidence = evidence or Evidence(head=expected_head)
    before = _signature(path)
    verification = _verify_file(path, evidence)
    if not verification.whole and _signature(path) != before:
        # A kiosk that starts while the file is read without locks changes it under the reader: read it again.
        return _verify_file(path, evidence)
    return verification


def verify_stored(trail: Stored, evidence: Evidence | None = None) -> Verification:
    """The same for a trail that is read through something else, such as the daemon's socket. Raises TrailError when it
    cannot be asked at all."""
    return _verify(trail, evidence or Evidence(), trail.identity)


def _verify_file(path: Path, evidence: Evidence) -> Verification:
    with ReadOnlyTrail(path) as trail:
        connection = trail.connection
        # One transaction: records that a running kiosk appends meanwhile are not half seen.
        connection.execute("BEGIN")
        found = _verify(trail, evidence, trail.identity)
        if not found.whole:
            return found
        try:
            noted = difference(store.noted(connection), found.intents)
            ((first,),) = connection.execute("SELECT min(sequence) FROM record").fetchall()
            ((last,),) = connection.execute("SELECT max(sequence) FROM record").fetchall()
            whole = store.schema_is_whole(connection)
        except store.DATABASE_ERRORS as error:
            return _fault(found, None, f"The file cannot be read: {error}")
    if first is not None and first < 1:
        return _fault(found, None, "There are records before the first.")
    if (last or 0) > (end := found.head.sequence):
        return _fault(found, end + 1, f"There are records after the head, record {end}.")
    if noted:
        return _fault(found, None, noted)
    if not whole:
        return _fault(found, None, "The file has lost what keeps its records from being changed.")
    return found


def _verify(trail: Stored, evidence: Evidence, identity: store.Identity) -> Verification:
    try:
        chain = _Chain(identity, evidence, trail.beginning())
    except (Bad, *store.DATABASE_ERRORS, TrailError) as error:
        head, foreign = Head(0, identity.genesis), isinstance(error, Bad)
        return Verification(False, 0, head, None, str(error), identity.kiosk_id, foreign=foreign)
    try:
        _follow(trail, chain, evidence)
    except Bad as bad:
        return _found(chain, bad.place, bad.sentence, foreign=bad.foreign)
    except (sqlite3.DatabaseError, UnicodeDecodeError, TrailError) as error:
        return _found(chain, chain.sequence + 1, f"Record {chain.sequence + 1} cannot be read: {error}")
    return _found(chain, None, "")


def _follow(trail: Stored, chain: _Chain, evidence: Evidence) -> None:
    if evidence.public_key and evidence.public_key != chain.identity.public_key:
        raise Bad(None, "The trail is sealed with another key than the one given.", foreign=True)
    head = trail.head()
    known = Known(chain, evidence)
    known.meet()
    for row in _checkpoints(trail):
        if row.number != chain.checkpoints + 1:
            raise Bad(None, f"Checkpoint {chain.checkpoints + 1} is missing.")
        if row.sequence > head.sequence:
            if row.sequence <= trail.head().sequence:  # made since we began, by a kiosk that goes on
                break
            _take_up_to(trail, chain, head.sequence, known)
            missing = head.sequence + 1
            raise Bad(missing, f"Record {missing} is missing: checkpoint {row.number} is of record {row.sequence}.")
        _take_up_to(trail, chain, row.sequence, known)
        chain.seal(row)
        known.meet_checkpoint(row)
    _take_up_to(trail, chain, head.sequence, known)
    if chain.hash != head.hash:
        raise Bad(None, f"The trail ends at record {chain.sequence}, its head is another: {head.sequence}.")
    known.end()


def _take_up_to(trail: Stored, chain: _Chain, last: int, known: Known) -> None:
    while chain.sequence < last:
        stop = min(last, known.next_place)
        for rows in _stretch(trail, chain.sequence + 1, stop):
            chain.take(rows)
        if chain.sequence < stop:
            missing = chain.sequence + 1
            raise Bad(missing, f"Record {missing} is missing.")
        known.meet()


def _stretch(trail: Stored, first: int, last: int) -> Iterator[Sequence[tuple[int, bytes, bytes, bytes]]]:
    """The records from `first` to `last` in pieces; from a file as SQLite has them: to look at each of a million rows
    before it is hashed would take longer than hashing it."""
    if isinstance(trail, ReadOnlyTrail):
        cursor = trail.connection.execute(
            "SELECT sequence, body, hash, mac FROM record WHERE sequence BETWEEN ? AND ? ORDER BY sequence",
            (first, last),
        )
        while piece := cursor.fetchmany(PIECE):
            yield piece
        return
    while first <= last and (rows := trail.rows(first, min(store.BATCH, last - first + 1))):
        yield rows
        first = rows[-1].sequence + 1


def _first_key(identity: store.Identity, evidence: Evidence) -> MacKey | None:
    if not evidence.first_mac_key:
        return None
    if commitment(evidence.first_mac_key) != identity.mac_commitment:
        raise Bad(None, "The MAC key given is not the one that this trail began with.", foreign=True)
    return MacKey(0, evidence.first_mac_key)


def _checkpoints(trail: Stored) -> Iterator[store.CheckpointRow]:
    first = 0
    while found := trail.checkpoint_rows(first):
        yield from found
        first = found[-1].number + 1


def _fault(found: Verification, first_bad: int | None, fault: str) -> Verification:
    counts = (found.proofs, found.unknown_proofs, found.checkpoints, found.anchors)
    return Verification(False, found.records, found.head, first_bad, fault, found.kiosk_id, *counts)


def _found(chain: _Chain, first_bad: int | None, fault: str, *, foreign: bool = False) -> Verification:
    head = Head(chain.sequence, chain.hash)
    records, checkpoints = chain.sequence - chain.beginning.sequence, chain.checkpoints - chain.beginning.checkpoint
    whole = not fault
    if whole:
        parts = [f"{records} record{'' if records == 1 else 's'}"]
        parts += [f"from record {chain.beginning.sequence + 1} on"] if chain.beginning.sequence else []
        parts += [f"{chain.proofs} proofs hold"] if chain.proofs else []
        parts += [f"{chain.unknown_proofs} proofs of an unknown kind"] if chain.unknown_proofs else []
        signed = f"{checkpoints} checkpoints signed by {fingerprint(chain.identity.public_key)}"
        parts += [signed] if checkpoints else []
        parts += [f"{chain.anchors} anchors"] if chain.anchors else []
        fault = f"The chain is whole: {', '.join(parts)}, head {head.hash.hex()}."
    return Verification(
        whole,
        records,
        head,
        first_bad,
        fault,
        chain.identity.kiosk_id,
        chain.proofs,
        chain.unknown_proofs,
        checkpoints,
        chain.anchors,
        foreign,
        chain.intents,
    )


def _signature(path: Path) -> tuple[int, int, bool] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, path.with_name(path.name + "-wal").exists()
