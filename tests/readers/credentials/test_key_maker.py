import stat
from pathlib import Path

import pytest

from readers.credentials.aes_keys import KeyFiles
from readers.credentials.key_maker import make_key
from readers.errors import ReaderError


def test_a_key_is_made_for_its_owner_alone_and_can_be_used(tmp_path: Path) -> None:
    folder = tmp_path / "keys" / "credentials"
    assert make_key(folder, "desfire-read")
    path = folder / "desfire-read.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(KeyFiles(folder).shared("desfire-read")) == 16
    assert [entry.name for entry in folder.iterdir()] == ["desfire-read.key"]


def test_no_two_keys_are_the_same(tmp_path: Path) -> None:
    names = [f"key-{number}" for number in range(20)]
    assert all(make_key(tmp_path, name) for name in names)
    assert len({KeyFiles(tmp_path).shared(name) for name in names}) == 20


@pytest.mark.parametrize("content", [b"", b"not a key", b"00" * 16 + b"\n"])
def test_what_is_there_is_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "emv.key"
    path.write_bytes(content)
    assert not make_key(tmp_path, "emv")
    assert path.read_bytes() == content


def test_a_link_that_leads_nowhere_is_there_too(tmp_path: Path) -> None:
    (tmp_path / "emv.key").symlink_to(tmp_path / "elsewhere")
    assert not make_key(tmp_path, "emv")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(ReaderError, match="cannot be made"):
        make_key(tmp_path / "keys", "emv")
