"""A sealed month is whole in a file of its own, anywhere, and whatever is changed in it is found."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.audit import (
    Evidence,
    Month,
    verify,
    verify_segment,
    verify_segments,
)
from kiosk.errors import TrailError
from tests.kiosk.audit.archives import Archive, change_line


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path)
    yield made
    made.trail.close()


def test_each_closed_month_becomes_a_segment_that_verifies_apart(archive: Archive) -> None:
    sealed = archive.retention.seal()
    assert [str(segment.month) for segment in sealed] == ["2026-01", "2026-02", "2026-03", "2026-04"]
    assert [(segment.first, segment.last.sequence) for segment in sealed] == [(1, 12), (13, 24), (25, 36), (37, 48)]
    for segment in sealed:
        found = verify_segment(archive.retention.path(segment), archive.evidence)
        assert found.whole, found.sentence
        assert (found.records, found.checkpoints, found.anchors > 0) == (12, 1, True)
    whole = [found.whole for found in verify_segments([archive.retention.path(one) for one in sealed])]
    assert whole == [True] * 4
    assert verify(archive.trail.path, evidence=archive.evidence).whole


def test_a_segment_can_be_read_by_anybody_with_gzip_and_json(archive: Archive) -> None:
    (segment,) = archive.retention.seal(Month(2026, 2))
    with gzip.open(archive.retention.path(segment), "rt", encoding="ascii") as file:
        lines = file.read().splitlines()
    assert len(lines) == 1 + 1 + 12
    assert '"summary":"Push to PACS"' in lines[2]


@pytest.mark.parametrize(
    ("number", "change", "words"),
    [
        (5, lambda line: [line.replace("PACS", "PAKS")], "changed"),
        (5, lambda _: [], "missing"),
        (5, lambda line: [line, line], "4 comes after number 4"),
        (5, lambda line: [line, line.replace('"sequence":4', '"sequence":2')], "2 comes after number 4"),
        (5, lambda line: [line, line.replace('"sequence":4', '"sequence":0')], "0 comes after number 4"),
        (2, lambda line: [line.replace('"sequence":1', '"sequence":-1'), line], "-1 comes after number 0"),
        (1, lambda line: [line.replace('"number":1', '"number":0'), line], "0 comes after number 0"),
        (5, lambda line: [line, '{"remark":"seen by nobody"}'], "expected a record or a checkpoint"),
        (13, lambda _: [], "missing"),
        (13, lambda line: [line, line.replace('"sequence":12', '"sequence":13')], "after record 12"),
        (1, lambda _: [], "Checkpoint 1"),
        (1, lambda line: [line.replace("2026-01", "2026-02")], "signature"),
        (0, lambda line: [line.replace('"month":"2026-01"', '"month":"2026-02"')], "signature"),
        (0, lambda line: [line.replace('"number":1', '"number":2')], "signature"),
    ],
)
def test_whatever_is_changed_in_a_segment_is_found(
    archive: Archive, number: int, change: Callable[[str], list[str]], words: str
) -> None:
    (segment,) = archive.retention.seal(Month(2026, 2))
    path = archive.retention.path(segment)
    change_line(path, number, change)
    found = verify_segment(path)
    assert not found.whole
    assert words in found.sentence


def test_no_record_of_an_earlier_month_can_be_slipped_in(archive: Archive) -> None:
    path = archive.retention.path(archive.retention.seal(Month(2026, 3))[1])
    change_line(path, 5, lambda line: [line, line.replace('"sequence":16', '"sequence":3')])
    found = verify_segment(path)
    assert not found.whole
    assert "3 comes after number 16" in found.sentence


def test_a_segment_of_another_key_is_foreign_and_a_torn_file_unreadable(archive: Archive, tmp_path: Path) -> None:
    (segment,) = archive.retention.seal(Month(2026, 2))
    path = archive.retention.path(segment)
    assert verify_segment(path, Evidence(b"\x01" * 32)).foreign
    torn = tmp_path / "torn.gz"
    for size in (0, 10, 400, path.stat().st_size - 20):
        torn.write_bytes(path.read_bytes()[:size])
        assert not is_whole(torn)


def is_whole(path: Path) -> bool:
    try:
        return verify_segment(path).whole
    except TrailError as error:
        return path.name not in str(error)


def test_segments_that_do_not_follow_each_other_are_told(archive: Archive) -> None:
    sealed = archive.retention.seal()
    paths = [archive.retention.path(sealed[index]) for index in (0, 2)]
    first, second = verify_segments(paths, archive.evidence)
    assert (first.whole, second.whole) == (True, False)
    assert second.sentence == "Segment 3 does not follow segment 1."
