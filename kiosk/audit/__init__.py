"""An audit trail for medical imaging: append-only, hash-chained, rendered as DICOM PS3.15 A.5 (IHE ATNA) messages.

It needs nothing of this project but `kiosk.errors`, `kiosk.clock` and `readers.text`. The whole of it:

    who = Who("rsmith@hospital", "Smith, Rita", ("uid:04A1B2C3D4E5F6",), "radiologist")
    actor = Actor("session", who.user_id, who.user_name, who.badge)
    with Trail("/var/lib/kiosk/trail.sqlite", "kiosk-7", AuditSource("kiosk-7", "north"), SystemClock()) as trail:
        trail.append(Entry("push", act_id, Phase.INTENT, actor, "Push to PACS"))      # durable when it returns
        ...                                                                           # the act itself
        messages = events.transferred(who, Node("KIOSK"), Node("PACS", "10.0.0.5"), studies, patient, Outcome.SUCCESS)
        trail.append(Entry("push", act_id, Phase.OUTCOME, actor, "Pushed", Outcome.SUCCESS, messages, patient=patient))

- `events` makes the messages, one function an act; `codes` are their codes; `render` writes one as a line of XML.
- `Trail.append` raises TrailError when the record is not on the disk, and goes on refusing until `reopen()` succeeds:
  a caller that records the intent before it acts can never act off the record. `open_intents()` is what a crash left.
- `Trail.read_only(path)` reads a copy, or the file itself while it is written; `verify(path, expected_head)` re-hashes
  it and checks recorded signatures again (that alone needs the `cryptography` package).
- `export.jsonl`, `export.xml` and `export.show` turn records into lines, on request with patients masked.

The chain: h(n) = SHA-256(0x01 ‖ h(n-1) ‖ n ‖ SHA-256(0x00 ‖ body)), body = canonical JSON; h(0) binds the kiosk's id
and a random nonce. It shows any change, gap or insertion. That the end was cut off, or the file put back to an older
copy, shows only against a head kept elsewhere; and whoever may write the file may write a whole new chain: keep heads
elsewhere.
"""

from kiosk.audit import codes, events, export
from kiosk.audit.decode import RecordError
from kiosk.audit.identifier import encode_identifier
from kiosk.audit.message import (
    ActiveParticipant,
    AuditMessage,
    AuditSource,
    Code,
    Outcome,
    ParticipantObject,
    PatientRef,
    SopClassCount,
)
from kiosk.audit.participants import Node, Process, StudyRef, Who
from kiosk.audit.read_only import ReadOnlyTrail
from kiosk.audit.record import Actor, Entry, Head, Phase, Receipt, Record, RecordedProof
from kiosk.audit.trail import Trail
from kiosk.audit.verify import Verification, verify
from kiosk.audit.xml import render

__all__ = [
    "ActiveParticipant",
    "Actor",
    "AuditMessage",
    "AuditSource",
    "Code",
    "Entry",
    "Head",
    "Node",
    "Outcome",
    "ParticipantObject",
    "PatientRef",
    "Phase",
    "Process",
    "ReadOnlyTrail",
    "Receipt",
    "Record",
    "RecordError",
    "RecordedProof",
    "SopClassCount",
    "StudyRef",
    "Trail",
    "Verification",
    "Who",
    "codes",
    "encode_identifier",
    "events",
    "export",
    "render",
    "verify",
]
