"""The file of a trail as its writer holds it: what was the end when we last looked, and how to add to it."""

import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from kiosk.audit import noted, reading, store
from kiosk.audit.anchor import BrokenTrail
from kiosk.audit.boundary import Beginning
from kiosk.audit.chain import link
from kiosk.audit.checkpoint import Checkpoint, Occasion
from kiosk.audit.disk import make_private, sync_directory
from kiosk.audit.intents import OpenIntents
from kiosk.audit.lock_file import KEY, MAKING, LockFile, new_writer
from kiosk.audit.mac_key import BEHIND_ITS_KEY, MacKey, MacKeyFile, commitment
from kiosk.audit.record import Entry, Head, Phase, Record
from kiosk.audit.signing import SigningKey
from kiosk.errors import TrailError

Opening = Callable[[], tuple[bytes, Entry, datetime]]
"""What a file that has to be made begins with: the body of its first record, its entry and its time."""

TAIL: Final = 256
BUSY_SECONDS: Final = 2.0
PRIVATE_DIRECTORY: Final = 0o700
SIGNING_KEY: Final = "signing.key"
MAC_KEY: Final = "mac.key"


class TrailFile:
    """Not for several threads at once; several processes take turns by SQLite's own lock.

    Every method may raise TrailError, sqlite3.Error or OSError; BrokenTrail means that the file is not to be trusted.
    """

    def __init__(self, path: Path, kiosk_id: str, keys: Path, opening: Opening | None = None) -> None:
        self._path = path
        self._opening = opening
        self.kiosk_id = kiosk_id
        self._keys = keys
        self._mac_file = MacKeyFile(keys / MAC_KEY)
        self._lock = LockFile(path.with_name(path.name + ".lock"))
        self._connection: sqlite3.Connection | None = None
        self._signing: SigningKey | None = None
        self._mac = MacKey(0, b"")
        self._head = Head(0, b"")
        self.public_key = b""
        self.writer = 0
        self.last_time: datetime | None = None
        self.sealed: Checkpoint | None = None
        self._accepted: dict[bytes, int] = {}
        self._intents = OpenIntents()

    def open(self) -> None:
        """Takes the file, making it and its keys (0600, in directories 0700) when there are none, and checks its end:
        the last records chain up to the head, those since the last checkpoint carry their MAC, and what is noted of
        acts that have not ended is what that checkpoint signs for and the records since say."""
        self._path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        make_private(self._path)
        self._lock.open()
        with self._lock.held(MAKING):
            connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=32
            )
            self._connection = connection
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA trusted_schema = OFF")
            if store.is_empty(connection):
                self._make(connection)
        identity = store.identity(connection)
        if identity.kiosk_id != self.kiosk_id:
            raise BrokenTrail(f"The audit trail belongs to the kiosk {identity.kiosk_id}, not to {self.kiosk_id}.")
        if not store.schema_is_whole(connection):
            raise BrokenTrail("The audit trail has lost what keeps it from being changed.")
        self.public_key = identity.public_key
        self._look(connection)
        while not self._lock.try_take(writer := new_writer()):
            pass
        self.writer = writer

    def close(self) -> None:
        """Lets everything go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._lock.close()
        self._mac, self._signing = MacKey(0, b""), None

    @property
    def connection(self) -> sqlite3.Connection:
        """The open file."""
        if self._connection is None:
            raise TrailError("The audit trail is not open.")
        return self._connection

    def head(self) -> Head:
        """The end as it was last seen."""
        return self._head

    def beginning(self) -> Beginning:
        """What comes before its first record."""
        return store.beginning(self.connection)

    def sign(self, text: bytes) -> bytes:
        """The signature of the trail's key, 64 octets."""
        return self._signer().sign(text)

    def hash_at(self, sequence: int) -> bytes:
        """The hash of a record, of 0 the genesis."""
        return store.hash_before(self.connection, sequence + 1)

    def checkpoint_body(self, number: int) -> bytes | None:
        """The body of a checkpoint, or None."""
        found = store.checkpoint_rows(self.connection, number, 1)
        return found[0].body if found and found[0].number == number else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begins at the end as it is now, others' records checked; what is added in the block is durable after it."""
        known, intents = (self._head, self._mac, self.last_time, self.sealed), self._intents.copy()
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._catch_up(connection)
            epoch = self._mac.epoch
            yield
            connection.execute("COMMIT")
        except BaseException:
            self._head, self._mac, self.last_time, self.sealed = known
            self._intents = intents
            self._accepted = {sent: place for sent, place in self._accepted.items() if place <= known[0].sequence}
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if self._mac.epoch != epoch:
            # After the commit, never before it: a key that is ahead of its trail is how a trail put back shows.
            self._keep_key()

    def add(self, body: bytes, entry: Entry, time: datetime, writer: int, nonce: bytes | None) -> Head:
        """The next record, inside a transaction."""
        sequence = self._head.sequence + 1
        value = link(self._head.hash, sequence, body)
        store.insert(self.connection, store.Row(sequence, body, value, self._mac.record(value)))
        self._intents.take(sequence, body, value)
        if entry.phase is Phase.INTENT:
            store.note(self.connection, sequence, writer)
        if nonce is not None:
            store.accept(self.connection, sequence, nonce)
            self._accepted[nonce] = sequence
            while len(self._accepted) > store.REMEMBERED:
                del self._accepted[next(iter(self._accepted))]
        self._head, self.last_time = Head(sequence, value), time
        return self._head

    def seal(self, occasion: Occasion, time: datetime) -> Checkpoint:
        """The next checkpoint, at the head, inside a transaction; it ends the epoch of the MAC key."""
        before = self.sealed
        unsigned = Checkpoint(
            self.kiosk_id,
            before.number + 1 if before else 1,
            self._head.sequence,
            self._head.hash,
            time,
            occasion,
            before.digest if before else store.identity(self.connection).genesis,
            self._intents.digest,
        )
        body = unsigned.body
        checkpoint = unsigned.signed(self._signer().sign(body))
        row = store.CheckpointRow(
            checkpoint.number, checkpoint.sequence, body, checkpoint.signature, self._mac.checkpoint(body)
        )
        store.insert_checkpoint(self.connection, row)
        store.forget(self.connection, self._intents.seal())
        self._mac, self.sealed = self._mac.at(checkpoint.number), checkpoint
        return checkpoint

    def accepted(self, nonce: bytes) -> Record | None:
        """The record that was sent with that nonce before, inside a transaction."""
        sequence = self._accepted.get(nonce)
        return None if sequence is None else next(reading.records(self.connection, sequence, sequence))

    def open_intents(self, own: int, living: Collection[int]) -> tuple[Record, ...]:
        """Intents without an outcome: of writer `own`, and of those that are gone; not of others that live. Inside a
        transaction."""

        def is_left(writer: int) -> bool:
            return writer == own or not (writer in living or self._is_alive(writer))

        writers = store.noted(self.connection)
        if said := noted.difference(writers, self._intents):
            raise BrokenTrail(said)
        places = [intent.sequence for intent in self._intents.all if is_left(writers[intent.sequence])]
        return tuple(record for place in places for record in reading.records(self.connection, place, place))

    def first_open_intent(self) -> int | None:
        """The place of the oldest act that has not ended, inside a transaction."""
        return min((intent.sequence for intent in self._intents.all), default=None)

    def first_key(self) -> bytes:
        """K(0), as long as it is the key."""
        if self._mac.epoch:
            raise TrailError("The first MAC key is gone, as it should be: it can be had before anything is recorded.")
        return self._mac.key

    def lock(self, place: int) -> bool:
        """Takes a place of the lock file until the trail is closed; False when another process has it."""
        return self._lock.try_take(place)

    def _is_alive(self, writer: int) -> bool:
        return writer == self.writer or self._lock.is_held_elsewhere(writer)

    def _make(self, connection: sqlite3.Connection) -> None:
        """Keys first: a trail without them could never go on; keys without a trail are taken for the new one."""
        self._keys.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        signing, mac = self._keys / SIGNING_KEY, self._keys / MAC_KEY
        key = SigningKey.read(signing) if signing.exists() else SigningKey.create(signing)
        first = self._mac_file.read() if mac.exists() else self._mac_file.create()
        if first.epoch:
            raise BrokenTrail("The audit trail is gone, though its keys have been used.")
        nonce = secrets.token_bytes(store.NONCE_SIZE)
        identity = store.Identity(self.kiosk_id, nonce, key.public_key(), commitment(first.key))
        connection.execute("BEGIN IMMEDIATE")
        store.create(connection, identity)
        if self._opening is not None:
            self._head, self._mac = Head(0, identity.genesis), first
            self.add(*self._opening(), self.writer, None)
        connection.execute("COMMIT")
        sync_directory(self._path.parent)

    def _look(self, connection: sqlite3.Connection) -> None:
        """The end as it is at one moment, whatever others append meanwhile."""
        try:
            self._take_key(connection)
            self._head = store.head(connection)
            self._check_tail(connection)
            self._intents = noted.open_intents(connection, self.sealed, self._head.sequence)
            self._accepted = dict(store.accepted(connection, self._head.sequence - store.REMEMBERED))
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _take_key(self, connection: sqlite3.Connection) -> None:
        """Brings the MAC key up to the last checkpoint; raises BrokenTrail when it is ahead of it."""
        with self._lock.held(KEY):  # so that no other writer moves the key between our two looks
            connection.execute("BEGIN")
            epoch = store.last_checkpoint(connection)
            self.sealed = self._checkpoint(epoch) if epoch else None
            stored = self._mac_file.read()
            if stored.epoch > epoch:
                raise BrokenTrail(BEHIND_ITS_KEY)
            self._mac = stored if stored.epoch == epoch else self._mac_file.advance(epoch)

    def _keep_key(self) -> None:
        with self._lock.held(KEY):
            if self._mac_file.read().epoch < self._mac.epoch:
                self._mac_file.advance(self._mac.epoch)

    def _checkpoint(self, number: int) -> Checkpoint:
        return reading.checkpoint_of(store.checkpoint_rows(self.connection, number, 1)[0])

    def _signer(self) -> SigningKey:
        if self._signing is None:
            key = SigningKey.read(self._keys / SIGNING_KEY)
            if key.public_key() != self.public_key:
                raise BrokenTrail("The signing key is not the one that this audit trail began with.")
            self._signing = key
        return self._signing

    def _check_tail(self, connection: sqlite3.Connection) -> None:
        head = self._head
        if connection.execute("SELECT max(sequence) FROM record").fetchone() != (head.sequence or None,):
            raise BrokenTrail(f"The audit trail does not end where its head says, at record {head.sequence}.")
        sealed = self.sealed
        unsealed = sealed.sequence + 1 if sealed else 1
        start = max(min(head.sequence - TAIL + 1, unsealed), store.beginning(connection).sequence + 1)
        if sealed and not sealed.is_signed_by(self.public_key):
            raise BrokenTrail(f"Checkpoint {sealed.number} of the audit trail does not carry its signature.")
        if sealed and (sealed.sequence > head.sequence or self.hash_at(sealed.sequence) != sealed.hash):
            raise BrokenTrail(f"The audit trail is not the one that checkpoint {sealed.number} was made of.")
        value, self.last_time = store.hash_before(connection, start), None
        for row in store.rows(connection, start, head.sequence):
            if link(value, row.sequence, row.body) != row.hash:
                raise BrokenTrail(f"The audit trail is broken at record {row.sequence}.")
            self._require_mac(row)
            if row.sequence == head.sequence:
                self.last_time = reading.record_of(row, value).time
            value = row.hash
        if value != head.hash:
            raise BrokenTrail(f"The audit trail's head does not match record {head.sequence}.")

    def _require_mac(self, row: store.Row) -> None:
        sealed = self.sealed.sequence if self.sealed else 0
        if row.sequence > sealed and row.mac != self._mac.record(row.hash):
            raise BrokenTrail(f"Record {row.sequence} of the audit trail was not written with its key.")

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        """The end as it is now, reached link by link from the one we knew: another writer's records, or a forgery."""
        now, known = store.head(connection), self._head
        epoch = store.last_checkpoint(connection)
        if epoch < self._mac.epoch:
            raise BrokenTrail("Something else has written to the audit trail.")
        if epoch > self._mac.epoch:
            self._mac, self.sealed = self._mac.at(epoch), self._checkpoint(epoch)
        if now.sequence > known.sequence:
            self._accepted.update(store.accepted(connection, known.sequence))
        value = known.hash
        for start, stop in store.stretches(known.sequence + 1, now.sequence):
            for found in store.rows(connection, start, stop):
                if link(value, found.sequence, found.body) != found.hash:
                    raise BrokenTrail(f"Something else has written to the audit trail, at record {found.sequence}.")
                self._require_mac(found)
                self._intents.take(found.sequence, found.body, found.hash)
                self.last_time = reading.record_of(found, value).time
                value = found.hash
        if now.sequence < known.sequence or value != now.hash:
            raise BrokenTrail("Something else has written to the audit trail.")
        self._head = now
