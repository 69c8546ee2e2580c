import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Command, Response
from readers.errors import ReaderError, StatusWordError

byte = st.integers(0, 255)
lengths = st.one_of(st.none(), st.integers(1, 65_536))
commands = st.builds(Command, byte, byte, byte, byte, st.binary(max_size=600), lengths)


def fits_short(command: Command) -> bool:
    return len(command.data) <= 255 and (command.le is None or command.le <= 256)


@given(commands)
def test_a_command_is_read_as_it_was_written(command: Command) -> None:
    assert Command.parse(bytes(command)) == command


@given(commands)
def test_a_command_is_short_wherever_it_can_be(command: Command) -> None:
    raw = bytes(command)
    assert (len(raw) <= 5 or raw[4] != 0) is fits_short(command)
    assert len(raw) <= 261 or not fits_short(command)


@pytest.mark.parametrize(("data", "wanted"), [(b"", "00CB3FFF00"), (b"\x5c", "00CB3FFF015C00")])
def test_as_many_bytes_as_there_are_is_one_zero_in_a_short_command(data: bytes, wanted: str) -> None:
    assert bytes(Command(0x00, 0xCB, 0x3F, 0xFF, data, le=0)).hex().upper() == wanted


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_refused(raw: bytes) -> None:
    try:
        command = Command.parse(raw)
    except ReaderError:
        return
    assert Command.parse(bytes(command)) == command


@given(st.binary(max_size=300))
def test_a_response_keeps_its_bytes_and_shows_none_of_them(raw: bytes) -> None:
    if len(raw) < 2:
        with pytest.raises(ReaderError):
            Response.parse(raw)
        return
    response = Response.parse(raw)
    assert bytes(response) == raw
    assert repr(response) == f"Response({len(raw) - 2} bytes, {raw[-2:].hex().upper()})"


@given(st.binary(max_size=8), st.integers(0, 0xFFFF))
def test_only_9000_is_success(data: bytes, status_word: int) -> None:
    response = Response(data, status_word)
    if status_word == 0x9000:
        assert response.expect("SELECT") == data
    else:
        with pytest.raises(StatusWordError, match=f"SELECT: status word {status_word:04X}"):
            response.expect("SELECT")


def test_more_data_than_an_apdu_carries_is_not_sent() -> None:
    with pytest.raises(ReaderError, match="65535"):
        bytes(Command(0x00, 0xDA, 0x00, 0x00, bytes(65_536)))
