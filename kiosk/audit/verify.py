"""The verifier: every record hashed again, every proof and signature checked again, from the trail alone."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from kiosk.audit import store
from kiosk.audit.boundary import Beginning
from kiosk.audit.canonical import decode_body
from kiosk.audit.chain import BODY_PREFIX, LINK_PREFIX
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.decode import RecordError
from kiosk.audit.mac_key import MacKey, commitment
from kiosk.audit.read_only import ReadOnlyTrail
from kiosk.audit.record import Head
from kiosk.audit.signing import fingerprint
from kiosk.errors import TrailError

# In canonical JSON a quotation mark inside a string is escaped: these bytes are the field and nothing else.
PROOF_FIELD: Final = b'"proof":{'
PIECE: Final = 64
"""Records that are in memory at a time."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a trail from elsewhere.

    `public_key`: that of its checkpoints, 32 octets. `anchors`: checkpoints kept elsewhere; of those that do not lie on
    the chain, the ones count that the trail's own key signed. `head`: a head that the chain must lead through.
    `first_mac_key`: K(0), 32 octets, from escrow.
    """

    public_key: bytes = b""
    anchors: Sequence[Checkpoint] = ()
    head: Head | None = None
    first_mac_key: bytes = b""


@dataclass(frozen=True)
class Verification:
    """What was found. `records` counts those that are good from the first there is on; `head` is the last of them.

    `first_bad` is the place of the first bad or missing record, None when the chain is whole or when the fault is not
    at a record. `proofs` counts those that hold, `unknown_proofs` those of algorithms that cannot be checked here;
    `checkpoints` and `anchors` those that were met. `foreign` means that the trail agrees with itself, not with the
    evidence: it was cut, put back, begun anew, or signed with another key.
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


class _Bad(Exception):
    def __init__(self, place: int | None, sentence: str, *, foreign: bool = False) -> None:
        super().__init__(sentence)
        self.place = place
        self.sentence = sentence
        self.foreign = foreign


class _Chain:
    """The chain as far as it was found good."""

    def __init__(self, identity: store.Identity, evidence: Evidence, beginning: Beginning) -> None:
        self.identity = identity
        self.beginning = beginning
        self.sequence, self.hash, self.checkpoints, self._previous = beginning
        self.proofs = 0
        self.unknown_proofs = 0
        self.anchors = 0
        first = _first_key(identity, evidence)
        self._mac = first.at(beginning.checkpoint) if first else None

    def take(self, rows: Iterable[tuple[int, bytes, bytes, bytes]]) -> None:
        """The next records; raises _Bad."""
        place, value = self.sequence, self.hash
        mac = self._mac
        sequence = place
        try:
            for sequence, body, recorded, stamp in rows:
                if sequence != place + 1:
                    raise _Bad(place + 1, f"Record {place + 1} is missing.")
                leaf = sha256(BODY_PREFIX + body).digest()
                if sha256(LINK_PREFIX + value + sequence.to_bytes(8, "big") + leaf).digest() != recorded:
                    raise _Bad(sequence, f"Record {sequence} was changed, or is not the one that was written there.")
                if PROOF_FIELD in body:
                    self._check_proof(sequence, body)
                if mac is not None and mac.record(recorded) != stamp:
                    raise _Bad(sequence, f"Record {sequence} was not written with the trail's key.")
                place, value = sequence, recorded
        except TypeError:  # what should be octets is text or a number
            raise _Bad(sequence, f"Record {sequence} is damaged.") from None
        finally:
            self.sequence, self.hash = place, value

    def seal(self, row: store.CheckpointRow) -> None:
        """The next checkpoint, once the records up to it were taken; raises _Bad."""
        number, place = self.checkpoints + 1, self.sequence
        try:
            checkpoint = Checkpoint.from_body(row.body, row.signature)
        except RecordError:
            raise _Bad(place, f"Checkpoint {number} after record {place} cannot be read.") from None
        if not checkpoint.is_signed_by(self.identity.public_key):
            raise _Bad(place, f"Checkpoint {number} after record {place} does not carry the trail's signature.")
        said = (checkpoint.kiosk_id, checkpoint.number, checkpoint.sequence, checkpoint.previous)
        if said != (self.identity.kiosk_id, number, place, self._previous):
            raise _Bad(place, f"Checkpoint {number} after record {place} is not the one that was written there.")
        if checkpoint.hash != self.hash:
            raise _Bad(place, f"Record {place} is not the one that checkpoint {number} was signed over.")
        if self._mac is not None:
            if self._mac.checkpoint(row.body) != row.mac:
                raise _Bad(place, f"Checkpoint {number} after record {place} was not written with the trail's key.")
            self._mac = self._mac.at(number)
        self.checkpoints, self._previous = number, checkpoint.digest

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
            ((first,),) = connection.execute("SELECT min(sequence) FROM record").fetchall()
            ((last,),) = connection.execute("SELECT max(sequence) FROM record").fetchall()
            whole = store.schema_is_whole(connection)
        except store.DATABASE_ERRORS as error:
            return _fault(found, None, f"The file cannot be read: {error}")
    if first is not None and first < 1:
        return _fault(found, None, "There are records before the first.")
    if (last or 0) > (end := found.head.sequence):
        return _fault(found, end + 1, f"There are records after the head, record {end}.")
    if not whole:
        return _fault(found, None, "The file has lost what keeps its records from being changed.")
    return found


def _verify(trail: Stored, evidence: Evidence, identity: store.Identity) -> Verification:
    try:
        chain = _Chain(identity, evidence, trail.beginning())
    except (_Bad, *store.DATABASE_ERRORS, TrailError) as error:
        head, foreign = Head(0, identity.genesis), isinstance(error, _Bad)
        return Verification(False, 0, head, None, str(error), identity.kiosk_id, foreign=foreign)
    try:
        _follow(trail, chain, evidence)
    except _Bad as bad:
        return _found(chain, bad.place, bad.sentence, foreign=bad.foreign)
    except (sqlite3.DatabaseError, UnicodeDecodeError, TrailError) as error:
        return _found(chain, chain.sequence + 1, f"Record {chain.sequence + 1} cannot be read: {error}")
    return _found(chain, None, "")


def _follow(trail: Stored, chain: _Chain, evidence: Evidence) -> None:
    if evidence.public_key and evidence.public_key != chain.identity.public_key:
        raise _Bad(None, "The trail is sealed with another key than the one given.", foreign=True)
    head = trail.head()
    known = _Known(chain, evidence)
    known.meet()
    for row in _checkpoints(trail):
        if row.number != chain.checkpoints + 1:
            raise _Bad(None, f"Checkpoint {chain.checkpoints + 1} is missing.")
        if row.sequence > head.sequence:
            if row.sequence <= trail.head().sequence:  # made since we began, by a kiosk that goes on
                break
            _take_up_to(trail, chain, head.sequence, known)
            missing = head.sequence + 1
            raise _Bad(missing, f"Record {missing} is missing: checkpoint {row.number} is of record {row.sequence}.")
        _take_up_to(trail, chain, row.sequence, known)
        chain.seal(row)
        known.meet_checkpoint(row)
    _take_up_to(trail, chain, head.sequence, known)
    if chain.hash != head.hash:
        raise _Bad(None, f"The trail ends at record {chain.sequence}, its head is another: {head.sequence}.")
    known.end()


def _take_up_to(trail: Stored, chain: _Chain, last: int, known: "_Known") -> None:
    while chain.sequence < last:
        stop = min(last, known.next_place)
        for rows in _stretch(trail, chain.sequence + 1, stop):
            chain.take(rows)
        if chain.sequence < stop:
            missing = chain.sequence + 1
            raise _Bad(missing, f"Record {missing} is missing.")
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


class _Known:
    """The evidence, in the order in which the chain must come through it."""

    def __init__(self, chain: _Chain, evidence: Evidence) -> None:
        self._chain = chain
        ours = [anchor for anchor in evidence.anchors if anchor.kiosk_id == chain.identity.kiosk_id]
        if evidence.head is not None and evidence.head.sequence < chain.sequence:
            said = f"Record {evidence.head.sequence}, known elsewhere, was deleted here: a sealed segment has it."
            raise _Bad(None, said, foreign=True)
        after = [anchor for anchor in ours if anchor.sequence >= chain.sequence]
        self._anchors = sorted(after, key=lambda anchor: (anchor.sequence, anchor.number))
        if ours and not any(anchor.is_signed_by(chain.identity.public_key) for anchor in ours):
            said = "No anchor of this kiosk carries the trail's signature: the trail was begun anew, with another key."
            raise _Bad(None, said, foreign=True)
        self._bodies = {anchor.number: anchor for anchor in ours}
        self._head = evidence.head
        self._at = 0

    @property
    def next_place(self) -> int:
        """The next record that something is known of."""
        places = [self._anchors[self._at].sequence] if self._at < len(self._anchors) else []
        if self._head is not None and self._head.sequence > self._chain.sequence:
            places.append(self._head.sequence)
        return max(min(places, default=1 << 62), self._chain.sequence + 1)

    def meet(self) -> None:
        """Holds the chain against what is known of the record where it stands; raises _Bad."""
        chain = self._chain
        if self._head is not None and self._head.sequence == chain.sequence and self._head.hash != chain.hash:
            raise _Bad(
                chain.sequence, f"Record {chain.sequence} is not the one that was known elsewhere.", foreign=True
            )
        while self._at < len(self._anchors) and self._anchors[self._at].sequence <= chain.sequence:
            anchor = self._anchors[self._at]
            self._at += 1
            if anchor.hash == chain.hash:
                chain.anchors += 1
            elif anchor.is_signed_by(chain.identity.public_key):
                place = anchor.sequence
                raise _Bad(place, f"Record {place} is not the one that was anchored elsewhere.", foreign=True)

    def meet_checkpoint(self, row: store.CheckpointRow) -> None:
        """Holds a checkpoint against the anchor of its number; raises _Bad."""
        anchor = self._bodies.pop(row.number, None)
        if anchor is None or anchor.body == row.body or not anchor.is_signed_by(self._chain.identity.public_key):
            return
        said = f"Checkpoint {row.number} is not the one that was anchored elsewhere."
        raise _Bad(row.sequence, said, foreign=True)

    def end(self) -> None:
        """What is known must not lie beyond the end; raises _Bad."""
        chain, key = self._chain, self._chain.identity.public_key
        last = max((self._head.sequence if self._head else 0), 0)
        beyond = reversed(self._anchors[self._at :])
        last = max(last, next((anchor.sequence for anchor in beyond if anchor.is_signed_by(key)), 0))
        if last > chain.sequence:
            place = chain.sequence + 1
            raise _Bad(place, f"Records from {place} to {last} are missing at the end.", foreign=True)
        for number in sorted(self._bodies):
            if number > chain.checkpoints and self._bodies[number].is_signed_by(key):
                raise _Bad(None, f"Checkpoint {number} is anchored elsewhere and missing here.", foreign=True)


def _first_key(identity: store.Identity, evidence: Evidence) -> MacKey | None:
    if not evidence.first_mac_key:
        return None
    if commitment(evidence.first_mac_key) != identity.mac_commitment:
        raise _Bad(None, "The MAC key given is not the one that this trail began with.", foreign=True)
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
    )


def _signature(path: Path) -> tuple[int, int, bool] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, path.with_name(path.name + "-wal").exists()
