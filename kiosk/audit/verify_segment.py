"""Verifying sealed segments apart from their trail: each by itself, and that they follow each other."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.evidence import Evidence
from kiosk.audit.record import Head
from kiosk.audit.segment import Segment
from kiosk.audit.segment_file import SegmentFile
from kiosk.audit.verify import Verification, verify_stored
from kiosk.errors import TrailError


def verify_segment(path: Path | str, evidence: Evidence | None = None) -> Verification:
    """Checks one segment's file in constant memory: its signature, every record, proof and checkpoint in it, and that
    there is nothing else in it. Raises TrailError when it is no segment's file.

    Of the evidence, anchors and heads count that lie in the segment. Without a public key it is only shown to be whole
    in itself: whoever made it could have made the key, too.
    """
    evidence = evidence or Evidence()
    with SegmentFile(path) as file:
        segment = file.segment
        found = verify_stored(file, _within(evidence, segment))
        if not found.whole:
            return found
        try:
            fault = _fault(file, segment, found)
        except TrailError as error:
            fault = str(error)
    if fault:
        return replace(found, whole=False, sentence=fault)
    return replace(found, sentence=f"Segment {segment.number} ({segment.month}): {found.sentence}")


def verify_segments(paths: Sequence[Path], evidence: Evidence | None = None) -> Iterable[Verification]:
    """The verification of each, in the order given; one that does not follow the one before it is not whole."""
    before: Segment | None = None
    for path in paths:
        found = verify_segment(path, evidence)
        with SegmentFile(path) as file:
            segment = file.segment
        if before and (segment.identity, segment.previous, segment.before) != (
            before.identity,
            before.digest,
            before.last,
        ):
            said = f"Segment {segment.number} does not follow segment {before.number}."
            found = replace(found, whole=False, foreign=True, sentence=said)
        before = segment
        yield found


def _within(evidence: Evidence, segment: Segment) -> Evidence:
    def inside(anchor: Checkpoint) -> bool:
        return (
            segment.before.checkpoint < anchor.number <= segment.last.checkpoint
            and segment.before.sequence <= anchor.sequence <= segment.last.sequence
        )

    head: Head | None = evidence.head
    if head is not None and not segment.before.sequence <= head.sequence <= segment.last.sequence:
        head = None
    return replace(evidence, anchors=tuple(filter(inside, evidence.anchors)), head=head)


def _fault(file: SegmentFile, segment: Segment, found: Verification) -> str:
    last = segment.last
    if file.rows(last.sequence + 1, 1):
        return f"There are records after record {last.sequence}, which is the segment's last."
    made, before = file.last_checkpoint(), segment.before
    sealed = (made.number, sha256(made.body).digest()) if made else (before.checkpoint, before.digest)
    if sealed != (last.checkpoint, last.digest):
        return f"Checkpoint {last.checkpoint}, the segment's last, is not in it."
    if found.intents.all != last.intents:
        return "The segment was sealed over other acts that had not ended."
    if found.head != Head(last.sequence, last.hash):
        return f"Record {last.sequence} is not the one that the segment was sealed over."
    return ""
