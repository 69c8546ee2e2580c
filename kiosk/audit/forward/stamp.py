"""The mark by which a repository knows each message again: its place in the trail, in the message itself.

Structured data is "-" (ITI TF-2 3.20), and header fields do not survive every repository, so the mark is one more
participant object, which the schema of PS3.15 A.5.1 allows everywhere: type 2, role 13, its code of our own scheme.
ParticipantObjectID is "TRAIL/SEQUENCE/PART", TRAIL the kiosk's id and the beginning of the hash that its chain began
with, so that a trail begun anew is another one; its details say
  TrailRecord   the record's sequence
  TrailPart     which of the record's messages this is: "1/2"
  TrailHash     the chain's hash after that record, hexadecimal
  TrailFollows  the sequence of the record that the message before came from: a gap shows, for not every record has one;
                where a sink begins at a pruned trail's boundary, that of the last pruned record
Two messages with the same ID are the same message, sent again because nobody knew whether it had arrived.
A checkpoint is an "Audit Log Used" of type "Audit Trail Checkpoint" with its signed line as the detail TrailCheckpoint.
"""

from dataclasses import replace
from typing import Final

from kiosk.audit import codes
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.message import AuditMessage, AuditSource, Code, Outcome, ParticipantObject
from kiosk.audit.participants import Node, Who
from kiosk.audit.record import Record
from kiosk.audit.store import Identity

SCHEME: Final = "99KIOSK"
RECORD_CODE: Final = Code("trail-record", SCHEME, "Audit Trail Record")
CHECKPOINT_CODE: Final = Code("trail-checkpoint", SCHEME, "Audit Trail Checkpoint")
LOG_NAME: Final = "Security Audit Log"


def trail_name(identity: Identity) -> str:
    """TRAIL, as it stands in every mark."""
    return f"{identity.kiosk_id}.{identity.genesis.hex()[:8]}"


def stamped(record: Record, part: int, trail: str, follows: int) -> AuditMessage:
    """The `part`-th message of a record of `trail`, counted from 0, with its mark."""
    message = record.entry.messages[part]
    mark = ParticipantObject(
        object_id=f"{trail}/{record.sequence}/{part + 1}",
        id_type=RECORD_CODE,
        type_code=codes.SYSTEM,
        role=codes.ROLE_SECURITY_RESOURCE,
        name=f"Audit trail record {record.sequence}",
        details=(
            ("TrailRecord", b"%d" % record.sequence),
            ("TrailPart", b"%d/%d" % (part + 1, len(record.entry.messages))),
            ("TrailHash", record.hash.hex().encode("ascii")),
            ("TrailFollows", b"%d" % follows),
        ),
    )
    return replace(message, objects=(*message.objects, mark))


def of_checkpoint(checkpoint: Checkpoint, source: AuditSource, trail: str) -> AuditMessage:
    """A checkpoint as a message: the process has looked at its log and signs what it saw."""
    log = ParticipantObject(
        object_id=f"{trail}/checkpoint/{checkpoint.number}",
        id_type=codes.URI,
        type_code=codes.SYSTEM,
        role=codes.ROLE_SECURITY_RESOURCE,
        name=LOG_NAME,
        details=(("TrailCheckpoint", checkpoint.line().encode("ascii")),),
    )
    return AuditMessage(
        codes.AUDIT_LOG_USED,
        "R",
        Outcome.SUCCESS,
        (CHECKPOINT_CODE,),
        participants=(Who("system").participant(codes.APPLICATION, node=Node(source.source_id)),),
        objects=(log,),
    )
