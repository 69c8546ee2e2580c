import os
from pathlib import Path

import pytest

from readers.credentials.aes_keys import KeyFiles, KeyUnavailable, MemoryKeys
from readers.errors import ReaderError

KEY = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
AN10922_INPUT = bytes.fromhex("04782E21801D803042F54E585020416275")


def put(directory: Path, text: str, mode: int = 0o600, name: str = "desfire-read.key") -> None:
    path = directory / name
    path.write_text(text)
    path.chmod(mode)


def test_a_key_file_gives_its_key_and_a_card_s_own(tmp_path: Path) -> None:
    put(tmp_path, KEY.hex() + "\n")
    keys = KeyFiles(tmp_path)
    assert keys.shared("desfire-read") == KEY
    assert keys.diversified("desfire-read", AN10922_INPUT).hex().upper() == "A8DD63A3B89D54B37CA802473FDA9175"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    put(tmp_path, KEY.hex(), mode)
    with pytest.raises(KeyUnavailable, match="0600"):
        KeyFiles(tmp_path).shared("desfire-read")


@pytest.mark.parametrize("text", ["", "zz", KEY.hex()[:-2], KEY.hex() + "00", KEY.hex() * 200])
def test_a_file_that_is_no_key_is_refused_without_telling_what_is_in_it(tmp_path: Path, text: str) -> None:
    put(tmp_path, text)
    with pytest.raises(KeyUnavailable) as raised:
        KeyFiles(tmp_path).shared("desfire-read")
    assert str(raised.value).startswith("desfire-read.key: not ")
    assert KEY.hex()[:16] not in str(raised.value)


@pytest.mark.parametrize("name", ["", "../desfire-read", "a/b", ".", "desfire-read.key", "ключ", "a\0b"])
def test_a_name_that_leaves_the_directory_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path, KEY.hex())
    with pytest.raises(KeyUnavailable):
        KeyFiles(tmp_path / "inner").shared(name)


def test_what_is_missing_linked_or_no_file_is_refused(tmp_path: Path) -> None:
    put(tmp_path, KEY.hex())
    (tmp_path / "linked.key").symlink_to(tmp_path / "desfire-read.key")
    (tmp_path / "folder.key").mkdir()
    os.mkfifo(tmp_path / "pipe.key", 0o600)
    for name in ("missing", "linked", "folder", "pipe"):
        with pytest.raises(KeyUnavailable):
            KeyFiles(tmp_path).shared(name)


def test_a_changed_key_counts_at_the_next_use(tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path)
    put(tmp_path, KEY.hex())
    before = keys.shared("desfire-read")
    put(tmp_path, KEY[::-1].hex())
    assert (before, keys.shared("desfire-read")) == (KEY, KEY[::-1])


@pytest.mark.parametrize("byte", [0x00, 0xFF, 0x11])
def test_a_key_that_cards_leave_the_factory_with_is_refused(tmp_path: Path, byte: int) -> None:
    put(tmp_path, bytes((byte,)).hex() * 16)
    with pytest.raises(KeyUnavailable, match="factory"):
        KeyFiles(tmp_path).shared("desfire-read")
    with pytest.raises(KeyUnavailable, match="factory"):
        KeyFiles(tmp_path).diversified("desfire-read", AN10922_INPUT)


@pytest.mark.parametrize("text", ["\ufeff" + KEY.hex(), KEY.hex() + "g"])
def test_no_error_carries_what_was_in_the_file(tmp_path: Path, text: str) -> None:
    put(tmp_path, text)
    with pytest.raises(KeyUnavailable) as raised:
        KeyFiles(tmp_path).shared("desfire-read")
    error: BaseException | None = raised.value
    while error is not None:
        assert KEY.hex() not in repr(vars(error)) + repr(error.args) + repr(getattr(error, "object", b""))
        error = error.__context__


def test_credentials_of_the_service_manager_may_carry_an_access_list(tmp_path: Path) -> None:
    put(tmp_path, KEY.hex(), 0o440)
    assert KeyFiles.from_credentials({"CREDENTIALS_DIRECTORY": str(tmp_path)}).shared("desfire-read") == KEY
    put(tmp_path, KEY.hex(), 0o444)
    with pytest.raises(KeyUnavailable):
        KeyFiles.from_credentials({"CREDENTIALS_DIRECTORY": str(tmp_path)}).shared("desfire-read")
    with pytest.raises(KeyUnavailable, match="CREDENTIALS_DIRECTORY"):
        KeyFiles.from_credentials({})


def test_keys_in_memory_are_named_and_never_shown() -> None:
    keys = MemoryKeys({"a": KEY})
    assert keys.shared("a") == KEY
    assert repr(keys) == "MemoryKeys(a)"
    with pytest.raises(KeyError):
        keys.shared("b")
    with pytest.raises(KeyError):
        keys.diversified("b", b"1")
    with pytest.raises(ReaderError):
        MemoryKeys({"a": b"short"})
