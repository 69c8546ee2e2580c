"""What whoever enrols a card is told about it, and what they are advised."""

import pytest

from kiosk.cli.card_words import advice, lines
from readers.card_type import CardType, Family
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.survey import Finding
from readers.uid import Uid

FIXED = Uid.from_hex("04A1B2C3D4E580")
NUMBER = Finding("iso14443", Assurance.IDENTIFIER, Claim("iso14443", FIXED.value, FIXED, Assurance.IDENTIFIER), 0.0)
RANDOM = Finding("iso14443", Assurance.IDENTIFIER, Refusal(RefusalReason.RANDOM_UID, "It changes.", "iso14443"), 0.0)
ALL = {"pkoc", "desfire", "ntag424", "iso14443"}


def of(kind: str, answer: Claim | Refusal | None) -> Finding:
    return Finding(kind, Assurance.AUTHENTICATED, answer, 0.085)


PROVED = of("desfire", Claim("desfire", b"x", FIXED, Assurance.AUTHENTICATED, "desfire:9f2c51d07a3b4e6d"))
FAILED = of("desfire", Refusal(RefusalReason.PROOF_FAILED, "It could not prove its key.", "desfire", FIXED))
ABSENT = of("desfire", None)


@pytest.mark.parametrize(
    ("family", "findings", "enabled", "expected"),
    [
        (Family.DESFIRE, (ABSENT, NUMBER), ALL, "DESFire could prove itself: `kiosk credentials desfire personalise`"),
        (Family.DESFIRE, (NUMBER,), set(), "itself: enable [credentials.desfire] in the configuration, then `kiosk"),
        (Family.DESFIRE, (ABSENT, RANDOM), ALL, "`kiosk credentials desfire personalise` prepares it."),
        (Family.NTAG424, (NUMBER,), ALL, "This tag could prove itself: give it this site's keys."),
        (Family.NTAG424, (NUMBER,), set(), "enable [credentials.ntag424] in the configuration, then give it"),
        (Family.PHONE, (RANDOM,), ALL, "A phone could prove itself: install a PKOC app on it."),
        (Family.PHONE, (RANDOM,), set(), "enable [credentials.pkoc] in the configuration, then install"),
        (Family.STORAGE, (NUMBER,), ALL, "This card can do no more than show its number."),
    ],
)
def test_a_card_that_could_prove_more_is_told_of(
    family: Family, findings: tuple[Finding, ...], enabled: set[str], expected: str
) -> None:
    assert expected in advice(CardType(family, "card"), findings, enabled)


@pytest.mark.parametrize(
    ("family", "findings"),
    [
        (Family.DESFIRE, (PROVED, NUMBER)),
        (Family.DESFIRE, (FAILED,)),
        (Family.STORAGE, (RANDOM,)),
        (Family.PROCESSOR, (NUMBER,)),
        (Family.UNKNOWN, ()),
    ],
)
def test_where_there_is_nothing_better_nothing_is_advised(family: Family, findings: tuple[Finding, ...]) -> None:
    assert advice(CardType(family, "card"), findings, ALL) == ""


def test_each_scheme_has_its_line_with_its_answer_and_its_time() -> None:
    printed = list(lines(CardType(Family.DESFIRE, "DESFire EV2"), FIXED, (ABSENT, PROVED, FAILED, NUMBER)))
    assert printed == [
        "Card: DESFire EV2, UID 04A1B2C3D4E580, fixed",
        "  desfire         85 ms  not on this card",
        "  desfire         85 ms  proved itself  desfire:9f2c51d07a3b4e6d",
        "  desfire         85 ms  refused: It could not prove its key.",
        "  iso14443         0 ms  identifier, which can be copied",
    ]


def test_text_from_a_card_cannot_move_the_cursor() -> None:
    claim = Claim("x", b"x", None, Assurance.AUTHENTICATED, "x:\x1b[2J1", notes=("owner\x1b]52;c;eA==\x07 here",))
    printed = "\n".join(lines(CardType(Family.UNKNOWN, "a\x9b2Jcard"), None, (of("x", claim),)))
    assert printed.isprintable() or printed.replace("\n", "").isprintable()
    assert "without a UID" in printed
