"""Where a stored trail begins: at its genesis, or, once old records were deleted, at a boundary that its key signed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from kiosk.audit.canonical import dumps, parse_time, time_text
from kiosk.audit.decode import Fields, RecordError, fields_of, loads
from kiosk.audit.intents import Intent
from kiosk.audit.signing import is_signed

FORMAT = "kiosk-trail-boundary-2"


class Beginning(NamedTuple):
    """What comes before the first record: the place and hash of the record before it (0 and the genesis hash in front
    of record 1), the number of the last checkpoint before it, that one's digest (0 and the genesis hash again), and the
    acts that have begun before it and not ended."""

    sequence: int
    hash: bytes
    checkpoint: int
    digest: bytes
    intents: tuple[Intent, ...] = ()


@dataclass(frozen=True)
class Boundary:
    """Up to record and checkpoint `last` the trail was deleted, once segment number `segment`, whose body has the
    SHA-256 `digest`, was sealed. `signature` is Ed25519 over `body`, by the key of the checkpoints. `time` is UTC.
    """

    kiosk_id: str
    segment: int
    digest: bytes
    last: Beginning
    time: datetime
    signature: bytes = b""

    @property
    def body(self) -> bytes:
        """What is signed: canonical JSON."""
        return dumps(
            {
                "format": FORMAT,
                "kiosk_id": self.kiosk_id,
                "segment": self.segment,
                "segment_digest": self.digest.hex(),
                **beginning_json(self.last),
                "time": time_text(self.time),
            }
        )

    def signed(self, signature: bytes) -> "Boundary":
        """The same with that signature."""
        return replace(self, signature=signature)

    def is_signed_by(self, public_key: bytes) -> bool:
        """Whether that Ed25519 key signed it."""
        return is_signed(public_key, self.signature, self.body)

    @classmethod
    def from_body(cls, body: bytes, signature: bytes) -> "Boundary":
        """A stored boundary; raises RecordError, also for a body that is not canonical."""
        fields = fields_of(loads(body), "boundary")
        if fields.text("format") != FORMAT:
            raise fields.wrong("format", FORMAT)
        boundary = cls(
            fields.text("kiosk_id"),
            fields.integer("segment"),
            fields.octets("segment_digest"),
            beginning_of(fields),
            parse_time(fields.text("time")),
            signature,
        )
        fields.end()
        if boundary.body != body:
            raise RecordError("boundary: not canonical")
        return boundary


def beginning_json(beginning: Beginning, suffix: str = "") -> dict[str, object]:
    """Its fields in a signed body."""
    return {
        f"sequence{suffix}": beginning.sequence,
        f"hash{suffix}": beginning.hash.hex(),
        f"checkpoint{suffix}": beginning.checkpoint,
        f"checkpoint_digest{suffix}": beginning.digest.hex(),
        f"open_intents{suffix}": [
            [intent.sequence, intent.hash.hex(), intent.act_id.decode("ascii")] for intent in beginning.intents
        ],
    }


def beginning_of(fields: Fields, suffix: str = "") -> Beginning:
    """The fields as they were written; raises RecordError."""
    return Beginning(
        fields.integer(f"sequence{suffix}"),
        fields.octets(f"hash{suffix}"),
        fields.integer(f"checkpoint{suffix}"),
        fields.octets(f"checkpoint_digest{suffix}"),
        tuple(_intents(fields, f"open_intents{suffix}")),
    )


def _intents(fields: Fields, key: str) -> Iterator[Intent]:
    for item in fields.items(key):
        match item:
            case [int() as sequence, str() as value, str() as act_id] if act_id.isascii():
                yield Intent(sequence, fields.unhex(key, value), act_id.encode("ascii"))
            case _:
                raise fields.wrong(key, "intents")
