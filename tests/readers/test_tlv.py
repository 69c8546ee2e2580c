import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import TlvError
from readers.tlv import MAX_DEPTH, MAX_OBJECTS, Tlv, build, find, parse, parse_flat

primitive_tags = st.sampled_from([0x5A, 0x5C, 0x9E, 0x4D, 0x9F36, 0x5F20, 0xDF8129])
values = st.binary(max_size=300)
nested = st.recursive(
    st.builds(Tlv, primitive_tags, values),
    lambda children: st.builds(
        lambda tag, inner: Tlv(tag, b"".join(map(bytes, inner)), tuple(inner)),
        st.sampled_from([0x61, 0x70, 0x7F49]),
        st.lists(children, max_size=3),
    ),
    max_leaves=6,
)


@given(st.lists(nested, max_size=4))
def test_what_was_built_is_parsed_again(objects: list[Tlv]) -> None:
    assert parse(b"".join(map(bytes, objects))) == tuple(objects)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        objects = parse(data)
    except TlvError:
        return
    assert all(item.value in data for item in objects)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("5A", "without a length"),
        ("5A02AA", "past the end"),
        ("5A80", "Indefinite"),
        ("5A8201", "cannot be read"),
        ("5A850000000001", "cannot be read"),
        ("5F", "does not end"),
        ("5FFFFFFF01", "does not end"),
        ("61035A05AA", "past the end"),
    ],
)
def test_lengths_that_do_not_add_up_are_refused(data: str, why: str) -> None:
    with pytest.raises(TlvError, match=why):
        parse(bytes.fromhex(data))


def test_nesting_is_bounded() -> None:
    data = build(0x5A, b"")
    for _ in range(MAX_DEPTH + 1):
        data = build(0x70, data)
    with pytest.raises(TlvError, match="nested"):
        parse(data)


def test_the_number_of_objects_is_bounded() -> None:
    with pytest.raises(TlvError, match="data objects"):
        parse(bytes.fromhex("5A00") * (MAX_OBJECTS + 1))


def test_padding_between_objects_is_skipped() -> None:
    assert parse(bytes.fromhex("00005A01AA005C0000")) == (Tlv(0x5A, b"\xaa"), Tlv(0x5C, b""))


def test_find_looks_inside_constructed_objects() -> None:
    data = parse(build(0x70, (Tlv(0x5C, b"\x01"), Tlv(0x5A, b"\x02"))))
    assert find(data, 0x5A) == b"\x02"
    assert find(data, 0x9E) is None


@pytest.mark.parametrize("tag", [0, -1, 0x5F, 0x5A5A, 0x9F8101A0])
def test_a_number_that_is_no_tag_is_not_built(tag: int) -> None:
    with pytest.raises(TlvError):
        build(tag, b"")


def test_values_stay_out_of_repr() -> None:
    assert "secret" not in repr(Tlv(0x5A, b"secret"))


@given(st.lists(st.tuples(st.sampled_from([0x53, 0x70, 0x71, 0x7F49]), values), max_size=4))
def test_objects_read_flat_keep_any_bytes_and_have_no_children(written: list[tuple[int, bytes]]) -> None:
    read = parse_flat(b"".join(build(tag, value) for tag, value in written))
    assert [(item.tag, item.value, item.children) for item in read] == [(tag, value, ()) for tag, value in written]


def test_flat_reading_keeps_the_bounds() -> None:
    with pytest.raises(TlvError):
        parse_flat(b"\x70\x05\x01")
    with pytest.raises(TlvError):
        parse_flat(bytes(70000))
