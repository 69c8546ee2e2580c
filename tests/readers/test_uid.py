import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import ReaderError
from readers.uid import CASCADE_TAG, RANDOM_FIRST_BYTE, SIZES, Uid

values = st.sampled_from(SIZES).flatmap(lambda size: st.binary(min_size=size, max_size=size))


@given(st.binary(max_size=12))
def test_only_4_7_or_10_bytes_are_a_uid(value: bytes) -> None:
    if len(value) in SIZES:
        assert Uid(value).value == value
    else:
        with pytest.raises(ReaderError):
            Uid(value)


@given(values)
def test_every_uid_is_random_impossible_or_fixed_by_its_bytes_alone(value: bytes) -> None:
    uid = Uid(value)
    assert uid.is_random is (value[0] == RANDOM_FIRST_BYTE)
    impossible = len(set(value)) == 1 and value[0] in (0x00, 0xFF)
    assert uid.is_valid is not (impossible or (len(value) == 4 and value[0] == CASCADE_TAG))


@given(st.sampled_from(SIZES).flatmap(lambda size: st.binary(min_size=size - 1, max_size=size - 1)))
def test_a_random_uid_is_random_at_any_length(rest: bytes) -> None:
    assert Uid(bytes((RANDOM_FIRST_BYTE,)) + rest).is_random


@given(values, st.sampled_from(["", ":", "-", " "]), st.booleans())
def test_a_uid_is_read_in_the_ways_that_people_write_it(value: bytes, between: str, large: bool) -> None:
    written = between.join(f"{byte:02x}" for byte in value)
    uid = Uid.from_hex(written.upper() if large else written)
    assert uid == Uid(value)
    assert bytes.fromhex(uid.hex()) == value


@given(st.text(max_size=24))
def test_any_text_is_a_uid_or_refused(text: str) -> None:
    try:
        uid = Uid.from_hex(text)
    except ReaderError:
        return
    assert len(uid.value) in SIZES


@given(values)
def test_no_more_than_two_bytes_of_a_uid_show(value: bytes) -> None:
    uid = Uid(value)
    assert str(uid) == uid.masked == "…" + value[-2:].hex().upper()
    assert repr(uid) == f"Uid({uid.masked})"
