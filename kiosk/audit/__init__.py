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
- `Trail.append` raises TrailError when the record is not on the disk, and goes on refusing until `reopen()` or
  `resume()` succeeds: a caller that records the intent before it acts can never act off the record. `open_intents()` is
  what a crash left; intents of another process that lives are not among them.
- `TrailPort` is what callers write to: a `Trail`, which owns the file, or a `TrailClient`, which asks the `AuditDaemon`
  that does. The daemon serves the users it was told to (SO_PEERCRED) behind a UNIX socket and has no verb but to
  append, read and sign; an append whose answer got lost is sent again with its nonce and recorded once:

      with AuditDaemon(trail, Counter(Path("/run/audit/s"), writers=frozenset({1001})), clock.monotonic):
          ...                                                                       # until SIGTERM
      with TrailClient("/run/audit/s") as trail:
          trail.append(entry)

- `TrailReader` is what readers need: `page(first, limit)`, `read`, `checkpoints`, `head`, `identity`; a `Trail`, a
  `TrailClient` and `Trail.read_only(path)` (a copy, or the file itself while it is written) are ones.
- A `Keeper` signs how far the trail has come: when it starts, when it is busy, as a heartbeat, when it stops; `append`
  itself seals a sign-out. Every `Checkpoint` goes to the `AnchorSink`s; a trail that is behind or beside the highest
  one that it signed itself does not open.
- `Retention(trail, RetentionRules(directory, keep_months), clock, deliveries)` seals each closed month into a file that
  `verify_segment` checks apart, and deletes only what is sealed, old and delivered; what stays begins at a signed
  boundary (`beginning()`). `WholeTrail(trail, retention.archive())` is both, to search in; each segment is checked
  before it is read, and `unread` names what could not be looked into.
- `BadgeNaming` names badges in entries by UID, by a token of the site's, or by both.
- `verify(path, evidence=Evidence(public_key, anchors, first_mac_key=...))` re-hashes the file, checks signatures, MACs
  and recorded proofs, and names the first bad record. `verify_stored` does so through a client.
- `export.jsonl`, `export.xml` and `export.show` turn records into lines, on request with patients masked.

How it is made. h(n) = SHA-256(0x01 ‖ h(n-1) ‖ n ‖ SHA-256(0x00 ‖ body)), body = canonical JSON; h(0) binds the kiosk's
id, a random nonce, the Ed25519 key of the checkpoints and the first MAC key. Each record carries HMAC(K(e), h(n)); each
checkpoint is signed, names the one before it and, by a digest, the acts that had begun and not ended, and ends the
epoch: K(e+1) replaces K(e) on the disk. What that is worth:

- A change, gap or insertion shows in the chain; one that was chained anew shows at the next checkpoint.
- Which acts are open follows from the records since the last checkpoint and what that signs for: one that somebody
  hides, or invents, keeps the trail closed. Whose an open act is (a living writer's, or not) is signed by nobody.
- The end cut off, or the file put back, shows against an anchor or a head that somebody kept; put back without its
  keys, it shows at once, because the MAC key is ahead of it.
- Who takes over the machine, signing key and all, writes what they like from then on, and can cut off what was anchored
  nowhere. What they change of the time before shows against anchors, or in the MACs: those need keys that are gone,
  and K(0) from escrow (`Trail.escrow`, before the first checkpoint) checks every one.

Only keys, signatures and proofs need the `cryptography` package, and load it when they are first used.
"""

from kiosk.audit import codes, events, export, listing
from kiosk.audit.acts import Act, Stay, acts, stays
from kiosk.audit.anchor import AnchorError, AnchorSink, BehindAnchor, BrokenTrail, CalledAnchors, FileAnchors
from kiosk.audit.archive import Archive, OpenArchive, SegmentFolder
from kiosk.audit.badges import BadgeId, BadgeNaming
from kiosk.audit.checkpoint import Checkpoint, Occasion
from kiosk.audit.client import TrailClient
from kiosk.audit.custody import Custody, Link, seal, trace
from kiosk.audit.daemon import AuditDaemon, Counter
from kiosk.audit.decode import RecordError
from kiosk.audit.evidence import Evidence
from kiosk.audit.identifier import encode_identifier
from kiosk.audit.keeper import Keeper, KeeperRules
from kiosk.audit.listing import chain_line, path_lines
from kiosk.audit.mask import Mask
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
from kiosk.audit.month import Month
from kiosk.audit.notify import Notify
from kiosk.audit.participants import Medium, Node, Process, StudyRef, Who
from kiosk.audit.port import TrailPort, TrailReader, TrailStatus
from kiosk.audit.read_only import ReadOnlyTrail
from kiosk.audit.record import Actor, Entry, Head, Phase, Receipt, Record, RecordedProof
from kiosk.audit.record_lines import record_fields, record_lines
from kiosk.audit.retention import Delivery, Pruned, Retention, RetentionPort, RetentionRules
from kiosk.audit.segment import Segment
from kiosk.audit.selection import Selection, select, select_newest
from kiosk.audit.standing import Surroundings, standing
from kiosk.audit.trail import Trail, TrailRules
from kiosk.audit.verify import Verification, verify, verify_stored
from kiosk.audit.verify_segment import verify_segment, verify_segments
from kiosk.audit.whole_trail import Wanted, WholeTrail
from kiosk.audit.xml import render

__all__ = [
    "Act",
    "ActiveParticipant",
    "Actor",
    "AnchorError",
    "AnchorSink",
    "Archive",
    "AuditDaemon",
    "AuditMessage",
    "AuditSource",
    "BadgeId",
    "BadgeNaming",
    "BehindAnchor",
    "BrokenTrail",
    "CalledAnchors",
    "Checkpoint",
    "Code",
    "Counter",
    "Custody",
    "Delivery",
    "Entry",
    "Evidence",
    "FileAnchors",
    "Head",
    "Keeper",
    "KeeperRules",
    "Link",
    "Mask",
    "Medium",
    "Month",
    "Node",
    "Notify",
    "Occasion",
    "OpenArchive",
    "Outcome",
    "ParticipantObject",
    "PatientRef",
    "Phase",
    "Process",
    "Pruned",
    "ReadOnlyTrail",
    "Receipt",
    "Record",
    "RecordError",
    "RecordedProof",
    "Retention",
    "RetentionPort",
    "RetentionRules",
    "Segment",
    "SegmentFolder",
    "Selection",
    "SopClassCount",
    "Stay",
    "StudyRef",
    "Surroundings",
    "Trail",
    "TrailClient",
    "TrailPort",
    "TrailReader",
    "TrailRules",
    "TrailStatus",
    "Verification",
    "Wanted",
    "Who",
    "WholeTrail",
    "acts",
    "chain_line",
    "codes",
    "encode_identifier",
    "events",
    "export",
    "listing",
    "path_lines",
    "record_fields",
    "record_lines",
    "render",
    "seal",
    "select",
    "select_newest",
    "standing",
    "stays",
    "trace",
    "verify",
    "verify_segment",
    "verify_segments",
    "verify_stored",
]
