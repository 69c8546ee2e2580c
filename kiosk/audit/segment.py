"""A sealed segment: the records of one month with their checkpoints, under one signature, to be kept anywhere."""

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote

from kiosk.audit.boundary import Beginning, beginning_json, beginning_of
from kiosk.audit.canonical import dumps, parse_time, time_text
from kiosk.audit.decode import Fields, RecordError, fields_of, loads
from kiosk.audit.month import Month
from kiosk.audit.signing import is_signed
from kiosk.audit.store import Identity

FORMAT = "kiosk-trail-segment-2"


@dataclass(frozen=True)
class Segment:
    """The `number`-th segment of a trail: the records after `before.sequence` up to `last.sequence`, and the
    checkpoints after `before.checkpoint` up to `last.checkpoint`.

    The two hashes and digests fix every octet of their bodies. `previous` is the digest of the segment before it, of
    the first one the genesis hash. `time` (UTC) is when it was sealed. `signature` is Ed25519 over `body`, by the key
    of the checkpoints.
    """

    identity: Identity
    number: int
    month: Month
    before: Beginning
    last: Beginning
    previous: bytes
    time: datetime
    signature: bytes = b""

    @property
    def first(self) -> int:
        """The place of its first record."""
        return self.before.sequence + 1

    @property
    def records(self) -> int:
        """How many it holds."""
        return self.last.sequence - self.before.sequence

    @property
    def body(self) -> bytes:
        """What is signed: canonical JSON."""
        return dumps(self._fields())

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the body, which the next segment names."""
        return sha256(self.body).digest()

    @property
    def file_name(self) -> str:
        """What its file is called."""
        kiosk = quote(self.identity.kiosk_id, safe="").replace(".", "%2E")
        return f"trail-{kiosk}-{self.number:04d}-{self.month}.jsonl.gz"

    @property
    def sentence(self) -> str:
        """What it is, for people."""
        return f"{self.month}, records {self.first} to {self.last.sequence}, segment {self.number}"

    def signed(self, signature: bytes) -> "Segment":
        """The same with that signature."""
        return replace(self, signature=signature)

    def is_signed_by(self, public_key: bytes) -> bool:
        """Whether that Ed25519 key signed it."""
        return is_signed(public_key, self.signature, self.body)

    def line(self) -> str:
        """The segment's head on one line: canonical JSON with the signature."""
        return dumps({**self._fields(), "signature": self.signature.hex()}).decode("ascii")

    @classmethod
    def from_line(cls, line: bytes | str) -> "Segment":
        """The segment of such a line; raises RecordError. Whether the signature holds is another question."""
        fields = fields_of(loads(line.encode("utf-8", "replace") if isinstance(line, str) else line), "segment")
        segment = _segment(fields).signed(fields.octets("signature"))
        fields.end()
        return segment

    def _fields(self) -> dict[str, object]:
        identity = self.identity
        return {
            "format": FORMAT,
            "kiosk_id": identity.kiosk_id,
            "install_nonce": identity.install_nonce.hex(),
            "public_key": identity.public_key.hex(),
            "mac_commitment": identity.mac_commitment.hex(),
            "number": self.number,
            "month": str(self.month),
            **beginning_json(self.before, "_before"),
            **beginning_json(self.last),
            "previous": self.previous.hex(),
            "time": time_text(self.time),
        }


def _segment(fields: Fields) -> Segment:
    if fields.text("format") != FORMAT:
        raise fields.wrong("format", FORMAT)
    try:
        month = Month.parse(fields.text("month"))
    except ValueError as error:
        raise RecordError(f"segment.month: {error}") from None
    return Segment(
        Identity(
            fields.text("kiosk_id"),
            fields.octets("install_nonce"),
            fields.octets("public_key"),
            fields.octets("mac_commitment"),
        ),
        fields.integer("number"),
        month,
        beginning_of(fields, "_before"),
        beginning_of(fields),
        fields.octets("previous"),
        parse_time(fields.text("time")),
    )
