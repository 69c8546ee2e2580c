"""Our list of a file's tags against dcmdump's, and our JSON against dcm2json's."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kiosk.imaging.studies.json_model import json_pieces
from kiosk.imaging.studies.tags import tag_rows
from tests.kiosk.imaging.studies.files import bundled

_LINE = re.compile(r"( *)\(([0-9a-f]{4}),([0-9a-f]{4})\) (..)")
FILES = (
    "CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_RLE.dcm",
    "image_dfl.dcm", "JPEG2000.dcm", "ExplVR_BigEnd.dcm", "rtplan.dcm", "rtstruct.dcm", "rtdose.dcm", "test-SR.dcm",
    "reportsi.dcm", "waveform_ecg.dcm", "liver_1frame.dcm", "examples_overlay.dcm",
    "priv_SQ.dcm", "UN_sequence.dcm", "DICOMDIR",
)  # fmt: skip


def found(name: str) -> Path:
    return bundled("dicomdirtests/DICOMDIR" if name == "DICOMDIR" else name)


def dumped(path: Path) -> list[tuple[int, str]]:
    """Depth and tag of each element as dcmdump prints them, without items, delimiters and fragments."""
    if shutil.which("dcmdump") is None:
        pytest.skip("dcmdump is not installed")
    done = subprocess.run(["dcmdump", "-q", str(path)], capture_output=True, timeout=60, check=True)
    lines = filter(None, map(_LINE.match, done.stdout.decode("latin-1").splitlines()))
    return [
        (len(line[1]) // 4, f"({line[2].upper()},{line[3].upper()})") for line in lines if line[2] != "fffe"
    ]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_dcmdump_finds_the_same_elements_at_the_same_depth(name: str) -> None:
    path = found(name)
    ours = [(row.depth, row.tag) for row in tag_rows(path) if row.tag.startswith("(")]
    assert ours == dumped(path)


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_bigendian.dcm", "rtplan.dcm", "test-SR.dcm", "image_dfl.dcm", "reportsi.dcm"]
)
def test_dcm2json_writes_the_same_json(name: str) -> None:
    if shutil.which("dcm2json") is None:
        pytest.skip("dcm2json is not installed")
    path = found(name)
    done = subprocess.run(["dcm2json", "-q", "-fc", str(path)], capture_output=True, timeout=60, check=True)
    ours: dict[str, Any] = json.loads("".join(json_pieces(path)))
    theirs: dict[str, Any] = json.loads(done.stdout)
    assert list(ours) == sorted(ours)
    assert "7FE00010" not in ours or "BulkDataURI" in ours.pop("7FE00010")
    theirs.pop("7FE00010", None)
    assert _plain(ours) == _plain(theirs)


def _plain(value: Any) -> Any:
    """Numbers as numbers, whether they were written as such or as text, and no empty members."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if part not in ("", [], None)}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def test_bulk_data_are_where_the_json_says() -> None:
    path = bundled("CT_small.dcm")
    pixels = json.loads("".join(json_pieces(path)))["7FE00010"]
    offset, length = map(int, re.findall(r"\d+", pixels["BulkDataURI"]))
    assert length == 32768
    assert path.read_bytes()[offset - 4 : offset] == length.to_bytes(4, "little")


def test_meta_information_is_in_the_json_only_where_it_is_asked_for() -> None:
    path = bundled("CT_small.dcm")
    assert not any(tag.startswith("0002") for tag in json.loads("".join(json_pieces(path))))
    assert json.loads("".join(json_pieces(path, meta=True)))["00020010"]["Value"] == ["1.2.840.10008.1.2.1"]
