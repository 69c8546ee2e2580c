"""Instances that are parts of one multi-frame image, put together by frame offset (PS3.3 C.7.6.16, 7.5.1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kiosk.imaging.studies.gaps import Finding, FindingKind, sentence
from kiosk.imaging.studies.header import Header


@dataclass(frozen=True)
class Concatenation:
    """The parts that are here, in the order of their frames, and what is odd about them."""

    parts: tuple[Header, ...]
    findings: tuple[Finding, ...]

    @property
    def frames(self) -> tuple[Header, ...]:
        """What is known of the frames of all parts; empty when it is not known of each."""
        if not all(part.frames for part in self.parts):
            return ()
        return tuple(frame for part in self.parts for frame in part.frames)


def reassembled(headers: Iterable[Header]) -> tuple[list[Header], list[Concatenation]]:
    """Headers that are no parts of anything, and the concatenations, by their UID."""
    alone: list[Header] = []
    groups: dict[str, list[Header]] = {}
    for header in headers:
        if header.part is None:
            alone.append(header)
        else:
            groups.setdefault(header.part.concatenation_uid, []).append(header)
    return alone, [_put_together(group) for _, group in sorted(groups.items())]


def _order(header: Header) -> tuple[bool, int, int, str]:
    part = header.part
    offset = None if part is None else part.offset
    number = None if part is None else part.number
    return (offset is None, offset or 0, number or 0, header.instance.sop_instance_uid)


def _put_together(group: Sequence[Header]) -> Concatenation:
    parts = sorted(group, key=_order)
    findings = [*_missing_parts(parts), *_frame_gaps(parts)]
    return Concatenation(tuple(parts), tuple(findings))


def _missing_parts(parts: Sequence[Header]) -> list[Finding]:
    totals = {header.part.total for header in parts if header.part and header.part.total}
    if len(totals) > 1:
        return [_finding("the parts of the concatenation do not agree how many there are")]
    total = next(iter(totals), None)
    if total is None or total == len(parts):
        return []
    return [_finding(f"{len(parts)} of {total} parts of the concatenation are here")]


def _frame_gaps(parts: Sequence[Header]) -> list[Finding]:
    """Frames that no part holds, or two of them hold; counted from 1."""
    if any(header.part is None or header.part.offset is None for header in parts):
        return [_finding("a part of the concatenation does not say at which frame it begins")]
    findings: list[Finding] = []
    expected = 0
    for header in parts:
        offset = (header.part.offset if header.part else None) or 0
        if offset > expected:
            findings.append(_finding(f"{_frames(expected + 1, offset)} missing"))
        elif offset < expected:
            findings.append(_finding(f"{_frames(offset + 1, expected)} there more than once"))
        expected = max(expected, offset + header.instance.frames)
    return findings


def _frames(first: int, last: int) -> str:
    one = first == last
    return f"{f'frame {first}' if one else f'frames {first} to {last}'} of the concatenation {'is' if one else 'are'}"


def _finding(words: str) -> Finding:
    return Finding(FindingKind.CONCATENATION, sentence(words))
