import os
import stat
from pathlib import Path
from threading import Barrier, Thread

import pytest

from kiosk.config.secrets import load_or_create_secret
from kiosk.errors import ConfigError

SECRET = bytes(range(100, 132))


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def put(file: Path, content: bytes, mode: int = 0o600) -> Path:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_bytes(content)
    file.chmod(mode)
    return file


def refusal(directory: Path, name: str = "pepper") -> str:
    with pytest.raises(ConfigError) as raised:
        load_or_create_secret(directory, name)
    text = str(raised.value)
    assert SECRET.hex() not in text
    assert repr(SECRET) not in text
    return text


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        first = load_or_create_secret(tmp_path / "state" / "keys", "pepper")
    finally:
        os.umask(before)
    assert len(first) == 32
    assert load_or_create_secret(tmp_path / "state" / "keys", "pepper") == first
    assert load_or_create_secret(tmp_path / "state" / "keys", "other") != first
    file = tmp_path / "state" / "keys" / "pepper"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert sorted(entry.name for entry in file.parent.iterdir()) == ["other", "pepper"]


def test_hexadecimal_digits_are_read_too(tmp_path: Path) -> None:
    put(tmp_path / "keys" / "pepper", SECRET.hex().encode() + b"\n")
    put(tmp_path / "keys" / "raw", SECRET)
    assert (
        load_or_create_secret(tmp_path / "keys", "pepper") == SECRET == load_or_create_secret(tmp_path / "keys", "raw")
    )


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666, 0o610])
def test_a_secret_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    put(tmp_path / "keys" / "pepper", SECRET, mode)
    assert "open to others" in refusal(tmp_path / "keys")


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o702, 0o720])
def test_a_folder_that_others_can_change_is_refused(tmp_path: Path, mode: int) -> None:
    put(tmp_path / "keys" / "pepper", SECRET)
    (tmp_path / "keys").chmod(mode)
    assert "changed by others" in refusal(tmp_path / "keys")


def test_links_are_refused_and_not_followed(tmp_path: Path) -> None:
    real = put(tmp_path / "elsewhere" / "pepper", SECRET)
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / "pepper").symlink_to(real)
    (tmp_path / "keys" / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "linked").symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in refusal(tmp_path / "keys")
    assert "symbolic link" in refusal(tmp_path / "keys", "dangling")
    assert "not a folder" in refusal(tmp_path / "linked")
    assert not (tmp_path / "nowhere").exists()


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "keys" / "pepper", 0o600)
    assert "plain file" in refusal(tmp_path / "keys")


@pytest.mark.parametrize(
    "content",
    [b"", SECRET[:31], SECRET + b"x", SECRET.hex().encode()[:-1] + b"g", b"x" * 64, b"\xff" * 64, b"y" * 9999],
)
def test_a_file_that_holds_something_else_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    file = put(tmp_path / "keys" / "pepper", content)
    assert "32 bytes" in refusal(tmp_path / "keys")
    assert file.read_bytes() == content


@pytest.mark.parametrize("name", ["", "../pepper", "a/b", ".hidden", "A", "a\0b", "a b", "x" * 65])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    refusal(tmp_path / "keys", name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600])
def test_systemds_credential_comes_before_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    put(tmp_path / "keys" / "pepper", bytes(32))
    put(tmp_path / "credentials" / "pepper", SECRET, mode)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert load_or_create_secret(tmp_path / "keys", "pepper") == SECRET


def test_a_missing_credential_is_no_reason_to_invent_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "credentials").mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert "pepper" in refusal(tmp_path / "keys")
    assert not (tmp_path / "keys").exists()
    assert list((tmp_path / "credentials").iterdir()) == []


@pytest.mark.parametrize("mode", [0o444, 0o460, 0o420, 0o402])
def test_a_credential_that_the_world_can_read_or_a_group_can_change_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    put(tmp_path / "credentials" / "pepper", SECRET, mode)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert "open to others" in refusal(tmp_path / "keys")


def test_of_many_that_make_it_at_once_all_read_the_same(tmp_path: Path) -> None:
    together, made = Barrier(8), list[bytes]()

    def make() -> None:
        together.wait(60)
        made.append(load_or_create_secret(tmp_path / "keys", "pepper"))

    threads = [Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 8
    assert len(set(made)) == 1
    assert [entry.name for entry in (tmp_path / "keys").iterdir()] == ["pepper"]
