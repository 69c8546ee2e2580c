import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Response
from readers.credentials.aes_keys import MemoryKeys
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import Ladder
from readers.credentials.ntag424 import Ntag424Keys, Ntag424Scheme
from readers.errors import CardGone, ReaderError
from readers.uid import Uid
from readers.virtual.aes_card import Fault
from readers.virtual.ntag424_card import Ntag424Card, issue
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, EchoCard, ManualClock, ScriptedCard, presented
from tests.readers.credentials.aes_cards import (
    FOREIGN_KEYS,
    OTHER_UID,
    SITE_KEYS,
    TAG_KEYS,
    UID,
    desfire_scheme,
    ntag424_scheme,
)

Outcome = Claim | Refusal | None


def tag(
    fault: Fault = Fault.NONE,
    *,
    random_uid: bool = False,
    sleep: Callable[[float], None] = lambda _seconds: None,
) -> Ntag424Card:
    return issue(UID, SITE_KEYS, TAG_KEYS, random_uid=random_uid, fault=fault, sleep=sleep)


def tap(card: Ntag424Card, scheme: Ntag424Scheme | None = None) -> Outcome:
    with presented(card) as connected:
        return (scheme or ntag424_scheme()).identify(connected)


def reason(outcome: Outcome) -> RefusalReason:
    assert isinstance(outcome, Refusal)
    assert outcome.sentence
    assert outcome.scheme == "ntag424"
    return outcome.reason


@pytest.mark.parametrize("random_uid", [True, False])
def test_an_issued_tag_is_authenticated_by_its_real_uid(random_uid: bool) -> None:
    fingerprint = "ntag424:" + hashlib.sha256(UID.value).hexdigest()[:16]
    expected = Claim("ntag424", UID.value, UID, Assurance.AUTHENTICATED, fingerprint)
    assert tap(tag(random_uid=random_uid)) == expected


def test_the_commands_are_those_of_the_note_byte_for_byte() -> None:
    scripted = ScriptedCard([Response(b"", 0x9000), Response(b"", 0x91AE)], FIXED_UID)
    assert reason(ntag424_scheme().identify(scripted)) is RefusalReason.PROOF_FAILED
    assert [bytes(sent).hex().upper() for sent in scripted.sent] == ["00A4040007D276000085010100", "9071000002010000"]


@pytest.mark.parametrize("random_uid", [True, False])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.WRONG_KEY, RefusalReason.PROOF_FAILED),
        (Fault.FORGED, RefusalReason.PROOF_FAILED),
        (Fault.TAMPERED, RefusalReason.PROOF_FAILED),
        (Fault.WITHOUT_MAC, RefusalReason.PROOF_FAILED),
        (Fault.TWO_UIDS, RefusalReason.PROOF_FAILED),
        (Fault.DROPPED, RefusalReason.CARD_GONE),
        (Fault.RANDOM_LENGTHS, RefusalReason.PROOF_FAILED),
        (Fault.ENDLESS_FRAMES, RefusalReason.MISBEHAVED),
        (Fault.ENDLESS_61XX, RefusalReason.MISBEHAVED),
        (Fault.SLOW, RefusalReason.TOO_SLOW),
    ],
)
def test_a_tag_with_a_fault_ends_the_ladder(fault: Fault, expected: RefusalReason, random_uid: bool) -> None:
    clock = ManualClock()
    with presented(tag(fault, random_uid=random_uid, sleep=clock.advance)) as connected:
        outcome = Ladder([UidScheme(), ntag424_scheme()], clock).identify(connected)
    assert reason(outcome) is expected


@pytest.mark.parametrize("random_uid", [True, False])
@pytest.mark.parametrize("fault", [Fault.REPLAYED, Fault.STALE_DATA])
def test_what_an_earlier_tap_said_is_worth_nothing(fault: Fault, random_uid: bool) -> None:
    card = tag(random_uid=random_uid)
    assert isinstance(tap(card), Claim)
    card.fault = fault
    for _again in range(3):
        assert reason(tap(card)) is RefusalReason.PROOF_FAILED
    card.fault = Fault.NONE
    assert isinstance(tap(card), Claim)


def test_one_tag_s_key_opens_no_other() -> None:
    assert reason(tap(Ntag424Card(OTHER_UID, tag()._keys))) is RefusalReason.PROOF_FAILED


def test_a_tag_that_shows_one_uid_and_tells_another_is_refused_even_with_the_right_key() -> None:
    told = Uid(UID.value[:-1] + bytes((UID.value[-1] ^ 0x01,)))
    shows_uid = Ntag424Card(told, tag()._keys, fault=Fault.TWO_UIDS)
    assert shows_uid.uid == UID
    assert reason(tap(shows_uid)) is RefusalReason.PROOF_FAILED


def test_a_tag_of_another_site_is_refused() -> None:
    assert reason(tap(tag(), ntag424_scheme(keys=FOREIGN_KEYS))) is RefusalReason.PROOF_FAILED


def test_a_kiosk_without_the_keys_says_so() -> None:
    assert reason(tap(tag(), ntag424_scheme(keys=MemoryKeys({})))) is RefusalReason.KEY_MISSING


def test_a_hidden_uid_that_the_site_does_not_ask_for_is_left_to_other_schemes() -> None:
    assert tap(tag(random_uid=True), ntag424_scheme(replace(TAG_KEYS, uid_key_number=None))) is None


@pytest.mark.parametrize("word", [0x6D00, 0x6E00, 0x911C, 0x6A82])
def test_an_ordinary_type_4_tag_is_left_to_other_schemes(word: int) -> None:
    assert ntag424_scheme().identify(ScriptedCard([Response(b"", 0x9000), Response(b"", word)], FIXED_UID)) is None


def test_a_tag_that_begins_and_then_forgets_is_refused() -> None:
    script = [Response(b"", 0x9000), Response(bytes(16), 0x91AF), Response(b"", 0x6D00)]
    assert reason(ntag424_scheme().identify(ScriptedCard(script, FIXED_UID))) is RefusalReason.PROOF_FAILED


@pytest.mark.parametrize("other", [UidCard(FIXED_UID, takes_apdus=True), PkocPhone.generate(), EchoCard()])
def test_other_cards_are_left_to_other_schemes(other: UidCard | PkocPhone | EchoCard) -> None:
    with presented(other) as connected:
        assert ntag424_scheme().identify(connected) is None


def test_a_tag_tapped_where_desfire_is_asked_first_still_passes() -> None:
    with presented(tag(random_uid=True)) as connected:
        outcome = Ladder([UidScheme(), desfire_scheme(), ntag424_scheme()], ManualClock()).identify(connected)
    assert isinstance(outcome, Claim)
    assert outcome.kind == "ntag424"


@pytest.mark.parametrize("numbers", [(5, None), (-1, None), (0, 5)])
def test_keys_that_a_tag_does_not_have_are_refused(numbers: tuple[int, int | None]) -> None:
    with pytest.raises(ReaderError):
        Ntag424Keys(*numbers)


def test_a_system_identifier_has_to_fit() -> None:
    with pytest.raises(ReaderError):
        Ntag424Keys(system_identifier=bytes(25))


words = st.sampled_from([0x9100, 0x91AF, 0x91AE, 0x911C, 0x9000]) | st.integers(0, 0xFFFF)
data = st.binary(max_size=80) | st.binary(min_size=16, max_size=16) | st.binary(min_size=32, max_size=32)
answers = st.builds(Response, data, words) | st.just(Response(bytes(16), 0x91AF)) | st.just(CardGone("gone"))


@given(script=st.lists(answers, max_size=12), hidden=st.booleans())
def test_no_random_card_makes_a_claim_or_an_error(script: list[Response | Exception], hidden: bool) -> None:
    uid = Uid.from_hex("08A1B2C3") if hidden else FIXED_UID
    selected = [Response(b"", 0x9000), *script]
    outcome = Ladder([ntag424_scheme()], ManualClock()).identify(ScriptedCard(selected, uid))
    assert isinstance(outcome, Refusal)
