"""The module and Type of an attribute in its SOP class, and the table they come from."""

import lzma

import pytest

from kiosk.imaging.studies.modules import Definition, definitions
from kiosk.imaging.studies.tags import tag_rows
from tests.kiosk.imaging.studies.files import bundled

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"


@pytest.mark.parametrize(
    ("sop_class", "place", "expected"),
    [
        (CT, (0x00100020,), Definition("Patient", "2")),
        (CT, (0x00200013,), Definition("General Image", "2")),
        (CT, (0x00080008,), Definition("CT Image", "1")),
        (CT, (0x60021500 - 0x1500 + 0x0010,), Definition("Overlay Plane", "1")),
        (CT, (0x00081140, 0x00081155), Definition("General Reference", "1")),
        (CT, (0x00020010,), Definition("File Meta Information", "1")),
        (ENHANCED_MR, (0x52009230, 0x00209113, 0x00200032), None),
        ("1.2.3", (0x00100020,), Definition()),
        ("1.2.3", (0x00020102,), Definition("File Meta Information", "1C")),
        (CT, (0x00111001,), Definition()),
    ],
)  # fmt: skip
def test_an_attribute_has_the_module_and_type_of_its_class(
    sop_class: str, place: tuple[int, ...], expected: Definition | None
) -> None:
    found = definitions(sop_class).of(place)
    assert found == expected if expected else found.type in ("1", "1C") and "Functional Groups" in found.module


def test_a_content_item_in_a_content_item_is_known_as_deep_as_it_lies() -> None:
    rows = [row for row in tag_rows(bundled("test-SR.dcm")) if row.keyword == "ValueType"]
    assert max(row.depth for row in rows) >= 2
    assert {row.type for row in rows} == {"1"}


def test_the_table_is_what_the_library_carries() -> None:
    pytest.importorskip("highdicom")
    from tests.bench.module_table import STUDIES, table

    assert lzma.decompress((STUDIES / "modules.xz").read_bytes()).decode("ascii") == table()
