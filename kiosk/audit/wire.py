"""The words of the trail's socket: how values are written in requests and answers, and read again."""

from collections.abc import Iterable, Iterator
from typing import Final

from kiosk.audit.boundary import Boundary
from kiosk.audit.canonical import parse_time, time_text
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.decode import Fields, RecordError
from kiosk.audit.port import TrailStatus
from kiosk.audit.record import Head, Receipt
from kiosk.audit.retention import Pruned
from kiosk.audit.segment import Segment
from kiosk.audit.store import CheckpointRow, Identity, Row

VERSION: Final = 1
READING: Final = frozenset(
    ("hello", "head", "read", "checkpoints", "intents", "status", "check", "boundary", "segments", "segment_rows")
)
WRITING: Final = frozenset(("append", "checkpoint", "seal", "prune"))

Json = dict[str, object]


def head_json(head: Head) -> Json:
    """A head."""
    return {"sequence": head.sequence, "hash": head.hash.hex()}


def head_of(fields: Fields) -> Head:
    """A head; raises RecordError."""
    return Head(fields.integer("sequence"), fields.octets("hash"))


def receipt_json(receipt: Receipt) -> Json:
    """A receipt."""
    return {"sequence": receipt.sequence, "hash": receipt.hash.hex(), "time": time_text(receipt.time)}


def receipt_of(fields: Fields) -> Receipt:
    """A receipt; raises RecordError."""
    return Receipt(fields.integer("sequence"), fields.octets("hash"), parse_time(fields.text("time")))


def identity_json(identity: Identity) -> Json:
    """Whose trail it is."""
    return {
        "kiosk_id": identity.kiosk_id,
        "install_nonce": identity.install_nonce.hex(),
        "public_key": identity.public_key.hex(),
        "mac_commitment": identity.mac_commitment.hex(),
    }


def identity_of(fields: Fields) -> Identity:
    """Whose trail it is; raises RecordError."""
    return Identity(
        fields.text("kiosk_id"),
        fields.octets("install_nonce"),
        fields.octets("public_key"),
        fields.octets("mac_commitment"),
    )


def row_json(row: Row) -> list[object]:
    """A record as it is stored; its body is ASCII."""
    return [row.sequence, row.body.decode("latin-1"), row.hash.hex(), row.mac.hex()]


def rows_of(fields: Fields, key: str) -> Iterator[Row]:
    """Records as they are stored; raises RecordError."""
    for item in fields.items(key):
        match item:
            case [int() as sequence, str() as body, str() as value, str() as mac]:
                yield Row(sequence, _octets(body), fields.unhex(key, value), fields.unhex(key, mac))
            case _:
                raise fields.wrong(key, "records")


def checkpoint_row_json(row: CheckpointRow) -> list[object]:
    """A checkpoint as it is stored."""
    return [row.number, row.sequence, row.body.decode("latin-1"), row.signature.hex(), row.mac.hex()]


def checkpoint_rows_of(fields: Fields, key: str) -> Iterator[CheckpointRow]:
    """Checkpoints as they are stored; raises RecordError."""
    for item in fields.items(key):
        match item:
            case [int() as number, int() as sequence, str() as body, str() as signature, str() as mac]:
                made, sealed = fields.unhex(key, signature), fields.unhex(key, mac)
                yield CheckpointRow(number, sequence, _octets(body), made, sealed)
            case _:
                raise fields.wrong(key, "checkpoints")


def boundary_json(boundary: Boundary | None) -> Json:
    """Where the trail begins; empty for at its genesis."""
    return {} if boundary is None else {"body": boundary.body.decode("ascii"), "signature": boundary.signature.hex()}


def boundary_of(fields: Fields) -> Boundary | None:
    """Where the trail begins; raises RecordError."""
    if "body" not in fields:
        return None
    return Boundary.from_body(_octets(fields.text("body")), fields.octets("signature"))


def segments_json(segments: Iterable[Segment]) -> Json:
    """Sealed segments."""
    return {"segments": [segment.line() for segment in segments]}


def segments_of(fields: Fields) -> tuple[Segment, ...]:
    """Sealed segments; raises RecordError."""
    return tuple(map(Segment.from_line, fields.texts("segments")))


def pruned_json(pruned: Pruned) -> Json:
    """What was deleted."""
    return {**segments_json(pruned.segments), "kept": pruned.kept}


def pruned_of(fields: Fields) -> Pruned:
    """What was deleted; raises RecordError."""
    return Pruned(segments_of(fields), fields.text("kept"))


def status_json(status: TrailStatus) -> Json:
    """How the trail is."""
    return {
        "kiosk_id": status.kiosk_id,
        "head": head_json(status.head),
        "failure": status.failure,
        "checkpoint": status.checkpoint.line() if status.checkpoint else "",
        "free_bytes": status.free_bytes,
        "reserve_bytes": status.reserve_bytes,
        "anchored": status.anchored,
        "anchored_at": time_text(status.anchored_at) if status.anchored_at else "",
        "anchor_fault": status.anchor_fault,
        "begun_anew": time_text(status.begun_anew) if status.begun_anew else "",
    }


def status_of(fields: Fields) -> TrailStatus:
    """How the trail is; raises RecordError."""
    line, at, anew = fields.text("checkpoint"), fields.text("anchored_at"), fields.text("begun_anew")
    return TrailStatus(
        fields.text("kiosk_id"),
        head_of(fields.child("head")),
        fields.text("failure"),
        Checkpoint.from_line(line) if line else None,
        fields.integer("free_bytes"),
        fields.integer("reserve_bytes"),
        fields.integer("anchored"),
        parse_time(at) if at else None,
        fields.text("anchor_fault"),
        parse_time(anew) if anew else None,
    )


def _octets(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise RecordError("message: a body that no trail can hold") from None
