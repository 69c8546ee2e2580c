"""A signed statement of how far the trail had come: what is kept elsewhere, so that its end cannot be cut unseen."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from hashlib import sha256

from kiosk.audit.canonical import dumps, parse_time, time_text
from kiosk.audit.decode import Fields, RecordError, fields_of, loads
from kiosk.audit.record import Head
from kiosk.audit.signing import is_signed

FORMAT = "kiosk-trail-checkpoint-2"


class Occasion(Enum):
    """Why a checkpoint was made. BUSY: records were waiting; IDLE: a heartbeat; FAULT: recording stopped."""

    START = "start"
    STOP = "stop"
    SIGN_OUT = "sign-out"
    BUSY = "busy"
    IDLE = "idle"
    FAULT = "fault"


@dataclass(frozen=True)
class Checkpoint:
    """The `number`-th checkpoint of a kiosk's trail: after record `sequence` its hash was `hash`. `time` is UTC.

    `previous` is the SHA-256 of the body of the checkpoint before it, of the first one the genesis hash. `open_intents`
    is the digest of the acts that had begun and not ended then (`OpenIntents.digest`). `signature` is Ed25519 over
    `body`.
    """

    kiosk_id: str
    number: int
    sequence: int
    hash: bytes
    time: datetime
    occasion: Occasion
    previous: bytes
    open_intents: bytes
    signature: bytes = b""

    @property
    def head(self) -> Head:
        """What it says the trail ended with."""
        return Head(self.sequence, self.hash)

    @property
    def body(self) -> bytes:
        """What is signed: canonical JSON."""
        return dumps(self._fields())

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the body, which the next checkpoint names."""
        return sha256(self.body).digest()

    def signed(self, signature: bytes) -> "Checkpoint":
        """The same with that signature."""
        return replace(self, signature=signature)

    def is_signed_by(self, public_key: bytes) -> bool:
        """Whether that Ed25519 key signed it."""
        return is_signed(public_key, self.signature, self.body)

    def line(self) -> str:
        """The checkpoint on one line, as it is kept elsewhere: canonical JSON with the signature."""
        return dumps({**self._fields(), "signature": self.signature.hex()}).decode("ascii")

    @classmethod
    def from_line(cls, line: bytes | str) -> "Checkpoint":
        """The checkpoint on such a line; raises RecordError. Whether the signature holds is another question."""
        fields = fields_of(loads(line.encode("utf-8", "replace") if isinstance(line, str) else line), "checkpoint")
        checkpoint = _checkpoint(fields).signed(fields.octets("signature"))
        fields.end()
        return checkpoint

    @classmethod
    def from_body(cls, body: bytes, signature: bytes) -> "Checkpoint":
        """A stored checkpoint; raises RecordError, also for a body that is not canonical."""
        fields = fields_of(loads(body), "checkpoint")
        checkpoint = _checkpoint(fields).signed(signature)
        fields.end()
        if checkpoint.body != body:
            raise RecordError("checkpoint: not canonical")
        return checkpoint

    def _fields(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "kiosk_id": self.kiosk_id,
            "number": self.number,
            "sequence": self.sequence,
            "hash": self.hash.hex(),
            "time": time_text(self.time),
            "occasion": self.occasion.value,
            "previous": self.previous.hex(),
            "open_intents": self.open_intents.hex(),
        }


def _checkpoint(fields: Fields) -> Checkpoint:
    if fields.text("format") != FORMAT:
        raise fields.wrong("format", FORMAT)
    return Checkpoint(
        fields.text("kiosk_id"),
        fields.integer("number"),
        fields.integer("sequence"),
        fields.octets("hash"),
        parse_time(fields.text("time")),
        fields.choice("occasion", Occasion),
        fields.octets("previous"),
        fields.octets("open_intents"),
    )
