"""UIDs are shown as the names people use."""

import pytest

from kiosk.imaging.studies.syntaxes import is_encapsulated, sop_class_name, transfer_syntax_name


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        ("1.2.840.10008.1.2.1", "Explicit VR Little Endian"),
        ("1.2.840.10008.1.2.4.90", "JPEG 2000 Lossless"),
        ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2"),
        ("1.2.3", "1.2.3"),
        ("", "unknown transfer syntax"),
    ],
)
def test_transfer_syntaxes(uid: str, name: str) -> None:
    assert transfer_syntax_name(uid) == name


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", "CT Image"),
        ("1.2.840.10008.5.1.4.1.1.88.11", "Basic Text SR"),
        ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1"),
        ("", "unknown object"),
    ],
)
def test_sop_classes(uid: str, name: str) -> None:
    assert sop_class_name(uid) == name


def test_only_the_four_native_syntaxes_are_not_in_fragments() -> None:
    assert not is_encapsulated("1.2.840.10008.1.2.1.99")
    assert is_encapsulated("1.2.840.10008.1.2.5")
    assert is_encapsulated("1.3.46.670589.33.1.4.1"), "private syntaxes are compressed ones"
