"""The spool: names of its own, whole files or none, links never followed."""

from pathlib import Path

import pytest

from kiosk.errors import StorageFull, UnreadableObject
from kiosk.imaging.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0, durable=True)
    spool.prepare()
    return spool


def put(spool: Spool, data: bytes) -> str:
    with spool.create() as file:
        file.write(data)
        return file.commit()


def test_a_file_appears_only_when_it_is_whole(spool: Spool) -> None:
    with spool.create() as file:
        file.write(b"half")
        assert spool.names() == ()
        file.write(b" and half")
        name = file.commit()
    assert spool.names() == (name,)
    with spool.open(name) as opened:
        assert opened.read() == b"half and half"
    assert spool.size(name) == 13
    assert (spool.folder / name).stat().st_mode & 0o777 == 0o600
    assert spool.folder.stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_not_committed_is_gone(spool: Spool) -> None:
    with spool.create() as file:
        file.write(b"half")
        assert len(list(spool.folder.iterdir())) == 1
    assert list(spool.folder.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "/etc/passwd", "a" * 31, "A" * 32, "a" * 32 + "\n", "a" * 32 + ".part"]
)
def test_a_name_that_is_not_the_spools_own_is_refused(spool: Spool, name: str) -> None:
    for ask in (spool.open, spool.path, spool.remove, spool.size):
        with pytest.raises(UnreadableObject):
            ask(name)


def test_links_and_folders_are_not_opened(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (spool.folder / ("a" * 32)).symlink_to(tmp_path / "secret")
    (spool.folder / ("b" * 32)).mkdir()
    for name in ("a" * 32, "b" * 32, "c" * 32):
        with pytest.raises(UnreadableObject):
            spool.open(name)


def test_a_spool_whose_folder_is_a_link_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UnreadableObject), Spool(tmp_path / "link", reserve=0).create() as file:
        file.write(b"x")
    assert list((tmp_path / "real").iterdir()) == []


def test_the_reserve_of_the_disk_is_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path, reserve=1 << 60)
    with pytest.raises(StorageFull, match="nearly full"), spool.create():
        pass
    assert list(tmp_path.iterdir()) == []


def test_wiping_removes_everything_and_the_folder(spool: Spool) -> None:
    put(spool, b"1")
    (spool.folder / ("d" * 32 + ".part")).write_bytes(b"left behind")
    spool.wipe()
    assert not spool.folder.exists()
    spool.wipe()


def test_wiping_touches_nothing_that_is_not_the_spools(spool: Spool) -> None:
    put(spool, b"1")
    (spool.folder / "notes.txt").write_text("mine")
    spool.wipe()
    assert [path.name for path in spool.folder.iterdir()] == ["notes.txt"]


def test_a_wiped_spool_does_not_come_back_by_a_late_write(spool: Spool) -> None:
    with spool.create() as file:
        file.write(b"late")
        spool.wipe()
        with pytest.raises(UnreadableObject):
            file.commit()
    assert not spool.folder.exists()
    with pytest.raises(UnreadableObject), spool.create():
        pass


def test_what_a_killed_writer_left_is_swept_and_what_is_being_written_is_not(spool: Spool) -> None:
    kept = put(spool, b"1")
    left = spool.folder / ("d" * 32 + ".part")
    left.write_bytes(b"left behind")
    with spool.create() as file:
        file.write(b"2")
        spool.sweep()
        assert not left.exists()
        written = file.commit()
        spool.sweep()
    assert spool.names() == tuple(sorted((kept, written)))
    assert spool.size(written) == 1
