"""The codes are those of the standard's context groups, as pydicom has them, and those of RFC 3881."""

import pytest
from pydicom.sr import codedict

from kiosk.audit import Code, codes

CONSTANTS = {name: value for name, value in vars(codes).items() if isinstance(value, Code)}
GROUPS = ("cid400", "cid401", "cid402", "cid403", "cid404", "cid405")
RFC_3881 = {"2": "Patient Number", "11": "User Identifier", "12": "URI"}


def _standard() -> dict[str, str]:
    meanings = {}
    for group in GROUPS:
        for keyword in getattr(codedict.codes, group).dir():
            code = getattr(getattr(codedict.codes, group), keyword)
            assert code.scheme_designator == "DCM"
            meanings[code.value] = code.meaning
    return meanings


STANDARD = _standard()


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_a_code_has_the_value_and_meaning_of_the_standard(name: str) -> None:
    code = CONSTANTS[name]
    if code.system == "RFC-3881":
        assert RFC_3881[code.value] == code.meaning
    else:
        assert code.system == "DCM"
        assert STANDARD[code.value] == code.meaning


def test_no_two_names_stand_for_one_code() -> None:
    assert len(set(CONSTANTS.values())) == len(CONSTANTS)


def test_a_name_speaks_of_its_code() -> None:
    for name, code in CONSTANTS.items():
        words = {word.strip("(),").lower() for word in code.meaning.split()}
        assert words & set(name.lower().split("_")), name
