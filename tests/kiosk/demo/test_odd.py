"""The odd studies are served as they are, and this kiosk's readers cope with them."""

from pathlib import Path

from kiosk.demo.archive import DemoArchive
from kiosk.demo.odd import MANY, POISON, odd_numbers, odd_studies
from kiosk.imaging.studies.model import OrderRule, Series, SeriesContents
from kiosk.imaging.studies.order import read_series
from kiosk.imaging.studies.tags import tag_rows
from tests.kiosk.demo.clients import findscu, getscu
from tests.kiosk.demo.conftest import TODAY


def _contents(pacs: DemoArchive, folder: Path, description: str) -> SeriesContents:
    study = odd_numbers(TODAY)
    series = next(series for series in study.series if series.description == description)
    uids = (f"StudyInstanceUID={study.study_instance_uid}", f"SeriesInstanceUID={series.series_instance_uid}")
    files = getscu(pacs.archive, folder, "SERIES", *uids)
    assert len(files) == len(series.instances)
    asked = Series(study.study_instance_uid, series.series_instance_uid, series.number, "CT", "", "", None)
    return read_series(asked, files)


def test_there_is_a_series_of_five_thousand(pacs: DemoArchive, tmp_path: Path) -> None:
    many, *_ = odd_studies(TODAY)
    assert many.instance_count == MANY == 5000
    numbers = [item.number for item in many.series[0].instances]
    assert sorted(number or 0 for number in numbers) == list(range(1, 5001))
    assert numbers != sorted(number or 0 for number in numbers)
    uid = f"StudyInstanceUID={many.study_instance_uid}"
    (answer,) = findscu(pacs.archive, tmp_path, "STUDY", uid, "NumberOfStudyRelatedInstances")
    assert answer.NumberOfStudyRelatedInstances == 5000


def test_instances_without_numbers_are_ordered_by_position(pacs: DemoArchive, tmp_path: Path) -> None:
    contents = _contents(pacs, tmp_path, "No Instance Number")
    assert [item.position[2] for item in contents.instances if item.position] == [5.0 * n for n in range(8)]
    assert contents.notes == ("8 instances have no Instance Number.",)


def test_instances_without_positions_are_ordered_by_number(pacs: DemoArchive, tmp_path: Path) -> None:
    contents = _contents(pacs, tmp_path, "No position")
    assert [item.number for item in contents.instances] == list(range(1, 9))
    assert contents.rule is OrderRule.INSTANCE_NUMBER


def test_doubled_numbers_are_said(pacs: DemoArchive, tmp_path: Path) -> None:
    assert "3 instances share Instance Number 7." in _contents(pacs, tmp_path, "Doubled numbers").notes


def test_a_missing_slice_is_said(pacs: DemoArchive, tmp_path: Path) -> None:
    notes = _contents(pacs, tmp_path, "A slice is missing").notes
    assert notes == ("1 slice seems to be missing, between 15.0 and 25.0 mm.",)


def test_nothing_to_order_by_is_said(pacs: DemoArchive, tmp_path: Path) -> None:
    assert _contents(pacs, tmp_path, "Neither number nor position").rule is OrderRule.SOP_INSTANCE_UID


def test_poison_is_really_served_and_does_not_pass_the_border(pacs: DemoArchive, tmp_path: Path) -> None:
    study = odd_studies(TODAY)[1]
    files = getscu(pacs.archive, tmp_path, "STUDY", f"StudyInstanceUID={study.study_instance_uid}")
    assert len(files) == 3
    assert POISON.encode() in files[0].read_bytes()
    shown = "".join(row.value + row.name for row in tag_rows(files[0]))
    assert shown.isprintable()
    assert "Mallory" in shown
