"""Every data element is a row; a broken file shows what parses and where it breaks."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_charset_files
from pydicom.dataset import Dataset

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.model import TagRow
from kiosk.imaging.studies.tags import tag_rows
from tests.kiosk.imaging.studies.files import bundled, element, image, part_10, save


def _rows(path: Path) -> dict[str, TagRow]:
    return {row.tag: row for row in tag_rows(path)}


def test_a_row_tells_everything_about_an_element(tmp_path: Path) -> None:
    dataset = image(np.zeros((2, 2), np.uint8), PatientName="Doe^Jane", ImageType=["ORIGINAL", "PRIMARY"])
    rows = _rows(save(dataset, tmp_path / "a"))
    assert rows["(0010,0010)"] == TagRow(
        0, "(0010,0010)", "PatientName", "PN", "1", "Doe^Jane", "Patient's Name", "Patient", "2"
    )
    assert rows["(0008,0008)"].vm == "2"
    assert rows["(0008,0008)"].value == "ORIGINAL\\PRIMARY"
    assert rows["(0028,0010)"].value == "2"
    assert rows["(7FE0,0010)"].value == "4 bytes: 00 00 00 00"


def test_file_meta_information_comes_first_with_names_for_its_uids(tmp_path: Path) -> None:
    rows = list(tag_rows(save(image(np.zeros((2, 2), np.uint8)), tmp_path / "a")))
    assert rows[0].tag == "(0002,0000)"
    by_tag = {row.tag: row for row in rows}
    assert by_tag["(0002,0010)"].value == "1.2.840.10008.1.2.1 (Explicit VR Little Endian)"
    assert by_tag["(0008,0016)"].value == "1.2.840.10008.5.1.4.1.1.2 (CT Image)"


def test_sequences_are_rows_with_items_one_deeper(tmp_path: Path) -> None:
    inner, outer = Dataset(), Dataset()
    inner.CodeValue = "T-1"
    outer.ConceptNameCodeSequence = [inner]
    dataset = image(np.zeros((2, 2), np.uint8), ContentSequence=[outer, outer])
    found = [(row.depth, row.tag) for row in tag_rows(save(dataset, tmp_path / "a"))]
    start = found.index((0, "(0040,A730)"))
    one = [(1, "(0040,A043)"), (2, "Item 1"), (2, "(0008,0100)")]
    assert found[start + 1 : start + 9] == [(1, "Item 1"), *one, (1, "Item 2"), *one]


def test_private_elements_name_their_creator() -> None:
    rows = _rows(bundled("CT_small.dcm"))
    assert rows["(0009,0010)"].value == "GEMS_IDEN_01"
    assert rows["(0009,0010)"].name == "Private Creator"
    assert rows["(0009,1001)"].name == "Full fidelity (private of GEMS_IDEN_01)"


def test_a_private_element_without_creator_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(part_10(element(0x11, 0x1001, "LO", b"x ")))
    assert _rows(path)["(0011,1001)"].name == "Private, no creator"


@pytest.mark.parametrize(
    ("vr", "value", "vm", "shown"),
    [
        ("US", b"\x01\x00\xff\xff", "2", "1\\65535"),
        ("SS", b"\xff\xff", "1", "-1"), ("FD", b"\0" * 6 + b"\xf8\x3f", "1", "1.5"),
        ("AT", b"\x10\x00\x20\x00", "1", "(0010,0020)"), ("OB", b"\x01\x02", "1", "2 bytes: 01 02"),
        ("OW", bytes(range(20)), "1", "20 bytes: 00 01 02 03 04 05 06 07 ..."), ("LO", b"", "0", ""),
        ("LO", b"a\\b\\c ", "3", "a\\b\\c"), ("LT", b"a\\b ", "1", "a\\b"), ("ZZ", b"??", "1", "2 bytes: 3f 3f"),
    ],
)  # fmt: skip
def test_values_are_shown_by_their_vr(tmp_path: Path, vr: str, value: bytes, vm: str, shown: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(part_10(element(0x11, 0x10, "LO", b"X ") + element(0x11, 0x1001, vr, value)))
    row = _rows(path)["(0011,1001)"]
    assert (row.vr, row.vm, row.value) == (vr, vm, shown)


def test_long_values_are_clipped(tmp_path: Path) -> None:
    rows = _rows(save(image(np.zeros((2, 2), np.uint8), ImageComments="x" * 9000), tmp_path / "a"))
    assert 250 < len(rows["(0020,4000)"].value) < 270


def test_nothing_that_could_reach_the_terminal_is_in_a_row(tmp_path: Path) -> None:
    poison = b"[/]\x1b[2J\x1b]52;c;eA==\x07\x9b31m\xe2\x80\xae\xe2\x81\xa6end"
    body = element(8, 5, "CS", b"ISO_IR 192")
    for group, number, vr in ((0x10, 0x10, "PN"), (0x10, 0x20, "LO"), (0x11, 0x10, "LO"), (0x20, 0x13, "IS")):
        body += element(group, number, vr, poison + b" " * (len(poison) % 2))
    body += element(0x11, 0x1001, "UT", poison + b" " * (len(poison) % 2))
    path = tmp_path / "a"
    path.write_bytes(part_10(body))
    text = "".join(part for row in tag_rows(path) for part in (row.tag, row.keyword, row.vr, row.value, row.name))
    assert text.isprintable()
    assert "end" in text


@pytest.mark.parametrize("name", ["rtplan_truncated.dcm", "MR_truncated.dcm"])
def test_a_broken_file_shows_what_parses_and_where_it_breaks(name: str) -> None:
    rows = list(tag_rows(bundled(name)))
    assert len(rows) > 50
    assert rows[-1].tag == "broken"
    assert "The object breaks off at byte" in rows[-1].value


@pytest.mark.parametrize(
    "name", ["nested_priv_SQ.dcm", "priv_SQ.dcm", "UN_sequence.dcm", "badVR.dcm", "meta_missing_tsyntax.dcm",
             "no_meta_group_length.dcm", "ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm", "image_dfl.dcm",
             "JPEG2000.dcm", "MR_small_expb.dcm", "test-SR.dcm", "waveform_ecg.dcm", "rtstruct.dcm"]
)  # fmt: skip
def test_odd_files_are_listed_to_their_end(name: str) -> None:
    rows = list(tag_rows(bundled(name)))
    assert rows
    assert rows[-1].tag != "broken"


def test_what_is_no_dicom_is_refused_before_the_first_row(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"GIF89a not dicom")
    with pytest.raises(UnreadableObject, match="not a DICOM object"):
        next(tag_rows(path))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chrArab.dcm", "قباني^لنزار"), ("chrFren.dcm", "Buc^Jérôme"), ("chrGerm.dcm", "Äneas^Rüdiger"),
        ("chrGreek.dcm", "Διονυσιος"), ("chrH31.dcm", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("chrH32.dcm", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"), ("chrHbrw.dcm", "שרון^דבורה"),
        ("chrI2.dcm", "Hong^Gildong=洪^吉洞=홍^길동"), ("chrRuss.dcm", "Люкceмбypг"),
        ("chrX1.dcm", "Wang^XiaoDong=王^小東"), ("chrX2.dcm", "Wang^XiaoDong=王^小东"),
    ],
)  # fmt: skip
def test_names_of_the_standards_examples_are_right(name: str, expected: str) -> None:
    (path,) = get_charset_files(name)
    assert _rows(Path(path))["(0010,0010)"].value.rstrip("=") == expected


def test_rows_of_a_very_long_file_end_with_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.imaging.studies.tags.MAX_ROWS", 10)
    rows = list(tag_rows(bundled("CT_small.dcm")))
    assert len(rows) == 11
    assert rows[-1].value == "Only the first 10 data elements are listed."
