"""`kiosk tags`: what it prints, in which form, and what it says of a file that breaks or is none."""

import csv
import io
import json
from pathlib import Path

import pytest

from kiosk.cli import main
from tests.kiosk.imaging.studies.files import bundled, element, part_10


def test_lines_name_keyword_value_module_and_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tags", str(bundled("CT_small.dcm"))]) == 0
    assert "(0008,0060) CS   1 Modality = CT  [General Series 1]" in capsys.readouterr().out.splitlines()


def test_csv_is_a_table_with_a_header_and_nothing_in_it_is_a_formula(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(
        part_10(element(0x10, 0x10, "PN", b"=cmd|' /C x'!A0 ") + element(0x20, 0x32, "DS", b"-1.5\\-2\\+3e-4 "))
    )
    assert main(["tags", "--format", "csv", str(path)]) == 0
    rows = {row["keyword"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert rows["PatientName"]["value"] == "'=cmd|' /C x'!A0"
    assert rows["ImagePositionPatient"]["value"] == "-1.5\\-2\\+3e-4"


def test_json_is_one_object_with_meta_information_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tags", "--format", "json", "--meta", str(bundled("rtplan.dcm"))]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["00020010"]["Value"] == ["1.2.840.10008.1.2"]
    assert found["00080060"] == {"vr": "CS", "Value": ["RTPLAN"]}


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_a_broken_file_is_printed_as_far_as_it_parses(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tags", "--format", form, str(bundled("rtplan_truncated.dcm"))]) == 1
    printed = capsys.readouterr()
    assert "RTPLAN" in printed.out
    assert "The object breaks off at byte 1410" in printed.err
    if form == "json":
        assert json.loads(printed.out)


def test_what_is_no_dicom_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"GIF89a not dicom")
    assert main(["tags", str(path)]) == 1
    assert capsys.readouterr().err == "kiosk: This file is not a DICOM object.\n"
