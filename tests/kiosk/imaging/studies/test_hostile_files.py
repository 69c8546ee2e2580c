"""Files that mean harm, and every odd file that pydicom brings: a sentence or an answer, and nothing else happens."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from pydicom import data as pydicom_data

from kiosk.errors import UnreadableObject
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.header import read_header
from kiosk.imaging.studies.json_model import json_pieces
from kiosk.imaging.studies.order import read_series
from kiosk.imaging.studies.preview import render
from kiosk.imaging.studies.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from kiosk.imaging.studies.tags import tag_rows
from tests.kiosk.imaging.studies.corpus import HOSTILE, meddled
from tests.kiosk.imaging.studies.files import SERIES, bundled, image, save

SLOW = ("1,000,000 elements", "1,000,000 items", "a deflate bomb under the limit")
MOST_MEGABYTES = 700
BUNDLED = sorted(
    path
    for folder in ("test_files", "charset_files")
    for path in (Path(pydicom_data.__file__).parent / folder).rglob("*")
    if path.is_file() and path.suffix != ".py"
)


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerImaging]:
    imaging = WorkerImaging(reserve_bytes=0)
    yield imaging
    imaging.close()


def peak_megabytes(process_id: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process_id}/status").read_text())
    assert found is not None
    return int(found[1]) >> 10


def read_every_way(path: Path) -> None:
    """Whatever is not UnreadableObject fails the test."""
    assert read_series(SERIES, [path]).instances
    for read in (
        lambda: [text for row in tag_rows(path) for text in (row.tag, row.keyword, row.vr, row.value, row.name)],
        lambda: render(path, 0, 64, 64) and [],
        lambda: "".join(json_pieces(path, meta=True)).split("\x7f"),
    ):
        try:
            texts = read()
        except UnreadableObject as error:
            texts = [str(error)]
        assert all(text.isprintable() for text in texts)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name in SLOW)) for name in HOSTILE])
def test_a_hostile_file_ends_in_a_sentence_and_leaves_worker_and_folder_as_they_were(
    name: str, worker: WorkerImaging, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    with spool.create() as target:
        target.write(HOSTILE[name]())
        file = target.commit()
    folder, cancel, written = str(spool.folder), Event(), set[str]()
    (instance,) = worker.read_series(SERIES, (file,), folder, cancel).instances
    assert f"{instance.note}{instance.sop_instance_uid}{instance.sop_class_name}".isprintable()
    assert worker.process_ids
    before = worker.process_ids[0]
    for call in (
        lambda: [row.value + row.name for row in worker.tags(file, folder, cancel)],
        lambda: [worker.picture(file, 0, 64, 64, folder, cancel).mode],
        lambda: [written.add(worker.transcode(file, EXPLICIT_VR_LITTLE_ENDIAN, folder, cancel).file) or ""],
    ):
        try:
            texts = call()
        except UnreadableObject as error:
            texts = [str(error)]
        assert all(text.isprintable() for text in texts)
    assert worker.process_ids[0] == before
    assert all(peak_megabytes(process_id) < MOST_MEGABYTES for process_id in worker.process_ids)
    assert set(os.listdir(folder)) == {file, *written}
    assert os.listdir(tmp_path) == ["spool"]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in SLOW and "bomb" not in name])
def test_a_hostile_file_raises_nothing_but_a_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(HOSTILE[name]())
    read_every_way(path)


@pytest.mark.parametrize("count", [10, pytest.param(2000, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "test-SR.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "693_J2KI.dcm"],
)
def test_a_file_meddled_with_raises_nothing_but_a_sentence(name: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in meddled(name, 7, count):
        path.write_bytes(content)
        read_every_way(path)


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
def test_every_file_of_pydicom_is_read_or_refused_in_words(path: Path) -> None:
    header = read_header(path)
    assert header.instance.readable or header.instance.note
    read_every_way(path)


def test_every_file_of_the_larger_collection_is_read_or_refused_in_words() -> None:
    folder = Path(pytest.importorskip("data_store").__file__).parent / "data"
    for path in sorted(folder.rglob("*.dcm")):
        if path.stat().st_size < 300_000:
            read_every_way(path)


def test_a_file_that_breaks_behind_its_pixels_still_shows_them(tmp_path: Path) -> None:
    path = save(image(np.full((4, 4), 200, np.uint8)), tmp_path / "a")
    path.write_bytes(path.read_bytes() + b"\xfc\xff\xfc\xffOB\0\0\xff\xff\xff\x7f")
    assert render(path, 0, 4, 4).width == 4
    rows = list(tag_rows(path))
    assert rows[-2].keyword == "PixelData"
    assert rows[-1].tag == "broken"


@pytest.mark.parametrize("lead", [b"", b"DICM", b" ", b"\0" * 128])
def test_a_file_without_preamble_or_prefix_is_read(lead: bytes, tmp_path: Path) -> None:
    whole = bundled("CT_small.dcm").read_bytes()
    path = tmp_path / "a"
    path.write_bytes(lead + whole[132:])
    assert list(tag_rows(path)) == list(tag_rows(bundled("CT_small.dcm")))


def test_meta_information_that_breaks_is_shown_as_far_as_it_parses(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bundled("CT_small.dcm").read_bytes()[:220])
    rows = list(tag_rows(path))
    assert rows[0].tag == "(0002,0000)"
    assert rows[-1].tag == "broken"
    assert "byte" in rows[-1].value


def test_a_deflation_that_ends_early_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    whole = bundled("image_dfl.dcm").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    rows = list(tag_rows(path))
    assert "PatientName" in {row.keyword for row in rows}
    assert rows[-1].tag == "broken"
