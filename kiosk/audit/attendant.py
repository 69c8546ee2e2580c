"""One client of the trail's daemon: its requests, one after the other, and what each is answered."""

import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from kiosk.audit import frames, store, wire
from kiosk.audit.canonical import decode_entry
from kiosk.audit.checkpoint import Occasion
from kiosk.audit.decode import Fields, RecordError
from kiosk.audit.frames import ConnectionLost
from kiosk.audit.lock_file import FIRST_WRITER, LAST_WRITER
from kiosk.audit.month import Month
from kiosk.audit.retention import Retention
from kiosk.audit.trail import TooLarge, Trail
from kiosk.errors import TrailError

SECONDS: Final = 5.0
"""How long a request may take to come in, and an answer to be taken."""
NONCE_SIZE: Final = 16

Json = dict[str, object]


class Attendant:
    """Serves one connection until it ends. `may_write` comes from who is at the other end, never from what they say.

    `writer` is the number that the client goes by: its intents are left open for as long as it is connected.
    """

    def __init__(
        self,
        connection: socket.socket,
        trail: Trail,
        living: Callable[[], Collection[int]],
        *,
        may_write: bool,
        retention: Retention | None = None,
    ) -> None:
        self._connection = connection
        self._trail = trail
        self._living = living
        self._may_write = may_write
        self._retention = retention
        self._archive = retention.archive() if retention else None
        self.writer = 0

    def serve(self) -> None:
        """Answers request after request; returns when the client has gone, hangs, or sends what is none."""
        try:
            while (request := frames.receive(self._connection, frames.LARGEST_REQUEST, None, SECONDS)) is not None:
                self._answer(self._reply(request))
        except RecordError as error:
            self._say_why(str(error))
        except ConnectionLost:
            pass
        finally:
            self._connection.close()
            if self._archive is not None:
                self._archive.close()

    def hang_up(self) -> None:
        """Ends the connection from another thread."""
        with suppress(OSError):  # it has ended by itself
            self._connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, answer: Json) -> None:
        frames.send(self._connection, frames.encode(answer, frames.LARGEST_ANSWER), SECONDS)

    def _say_why(self, sentence: str) -> None:
        with suppress(ConnectionLost):
            self._answer({"error": sentence, "kind": "malformed"})

    def _reply(self, request: Fields) -> Json:
        verb = request.text("verb")
        if verb in wire.WRITING and not self._may_write:
            return {"error": "This user may read the audit trail, not write to it.", "kind": "refused"}
        if verb not in wire.READING | wire.WRITING:
            raise RecordError("message.verb: expected one that there is")
        try:
            return {"ok": self._do(verb, request)}
        except RecordError:
            raise
        except TooLarge as error:
            return {"error": str(error), "kind": "refused"}
        except TrailError as error:
            return {"error": str(error), "kind": "trail"}

    def _do(self, verb: str, request: Fields) -> Json:
        trail = self._trail
        match verb:
            case "append":
                entry, nonce = decode_entry(request.value("entry")), request.octets("nonce")
                if len(nonce) != NONCE_SIZE:
                    raise request.wrong("nonce", f"{NONCE_SIZE} octets")
                return wire.receipt_json(trail.append(entry, nonce, self.writer))
            case "checkpoint":
                return {"line": trail.checkpoint(request.choice("occasion", Occasion)).line()}
            case "hello":
                return self._greet(request)
            case "head":
                return wire.head_json(trail.head())
            case "read":
                rows = trail.rows(_first(request), _limit(request))
                return {"rows": [wire.row_json(row) for row in rows]}
            case "checkpoints":
                found = trail.checkpoint_rows(_first(request), _limit(request))
                return {"rows": [wire.checkpoint_row_json(row) for row in found]}
            case "intents":
                records = trail.open_intents(self.writer, self._living())
                return {"sequences": [record.sequence for record in records]}
            case "check":
                trail.check()
                return {}
            case "boundary":
                return wire.boundary_json(trail.boundary())
            case "segment_rows":
                return {"rows": [wire.row_json(row) for row in self._archived(request)]}
            case "segments" | "seal" | "prune":
                return self._retain(verb, request)
            case _:
                return wire.status_json(trail.status())

    def _archived(self, request: Fields) -> tuple[store.Row, ...]:
        if self._archive is None:
            raise TrailError("This daemon keeps no segments.")
        return self._archive.segment_rows(request.integer("number"), _first(request), _limit(request))

    def _retain(self, verb: str, request: Fields) -> Json:
        if self._retention is None:
            raise TrailError("This daemon seals and deletes nothing.")
        match verb:
            case "prune":
                return wire.pruned_json(self._retention.prune())
            case "seal":
                return wire.segments_json(self._retention.seal(_month(request)))
            case _:
                return wire.segments_json(self._retention.segments())

    def _greet(self, request: Fields) -> Json:
        if request.integer("version") != wire.VERSION:
            raise request.wrong("version", str(wire.VERSION))
        writer = request.integer("writer")
        if not FIRST_WRITER <= writer <= LAST_WRITER:
            raise request.wrong("writer", "the number of a writer")
        self.writer = writer
        identity, uri = self._trail.identity, self._trail.uri
        return {"version": wire.VERSION, "uri": uri, "identity": wire.identity_json(identity)}


def _month(request: Fields) -> Month | None:
    if "before" not in request:
        return None
    try:
        return Month.parse(request.text("before"))
    except ValueError:
        raise request.wrong("before", "a month such as 2026-10") from None


def _first(request: Fields) -> int:
    first = request.integer("first")
    if not 0 <= first < 1 << 62:
        raise request.wrong("first", "a place in the trail")
    return first


def _limit(request: Fields) -> int:
    limit = request.integer("limit")
    if not 1 <= limit <= store.BATCH:
        raise request.wrong("limit", f"1 to {store.BATCH}")
    return limit
