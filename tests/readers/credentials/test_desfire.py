import hashlib
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Response
from readers.credentials.aes_keys import MemoryKeys
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.desfire import DesfireScheme, Messaging, select_application
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import Ladder
from readers.credentials.pkoc import PkocScheme
from readers.errors import CardGone, ReaderError
from readers.uid import Uid
from readers.virtual.aes_card import Fault
from readers.virtual.desfire_card import DesfireCard, issue
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, EchoCard, ManualClock, RecordedNonces, ScriptedCard, presented
from tests.readers.credentials.aes_cards import (
    APPLICATION,
    FOREIGN_KEYS,
    IDENTITY,
    KEYS,
    OTHER_UID,
    SITE_KEYS,
    UID,
    desfire_scheme,
)

Outcome = Claim | Refusal | None


def card(
    fault: Fault = Fault.NONE,
    *,
    knows_ev2: bool = True,
    random_uid: bool = False,
    uid: Uid = UID,
    sleep: Callable[[float], None] = lambda _seconds: None,
) -> DesfireCard:
    return issue(
        APPLICATION, uid, IDENTITY, SITE_KEYS, knows_ev2=knows_ev2, random_uid=random_uid, fault=fault, sleep=sleep
    )


def tap(desfire: DesfireCard, scheme: DesfireScheme | None = None) -> Outcome:
    with presented(desfire) as connected:
        return (scheme or desfire_scheme()).identify(connected)


def ladder(clock: ManualClock) -> Ladder:
    """The fixed UID would be worth a claim here, so that a fall to it would show."""
    return Ladder([UidScheme(), desfire_scheme(), PkocScheme(RecordedNonces(), clock)], clock)


def reason(outcome: Outcome) -> RefusalReason:
    assert isinstance(outcome, Refusal)
    assert outcome.sentence
    assert outcome.scheme == "desfire"
    return outcome.reason


@pytest.mark.parametrize("knows_ev2", [True, False])
@pytest.mark.parametrize("random_uid", [True, False])
def test_an_issued_card_is_authenticated_by_uid_and_identity(knows_ev2: bool, random_uid: bool) -> None:
    claim = tap(card(knows_ev2=knows_ev2, random_uid=random_uid))
    credential = UID.value + IDENTITY
    fingerprint = "desfire:" + hashlib.sha256(credential).hexdigest()[:16]
    assert claim == Claim("desfire", credential, UID, Assurance.AUTHENTICATED, fingerprint)


@pytest.mark.parametrize("messaging", list(Messaging))
def test_a_site_may_insist_on_one_way_to_authenticate(messaging: Messaging) -> None:
    scheme = desfire_scheme(replace(APPLICATION, messagings=(messaging,)))
    assert isinstance(tap(card(), scheme), Claim)
    ev1 = tap(card(knows_ev2=False), scheme)
    assert isinstance(ev1, Claim) is (messaging is Messaging.EV1)
    if messaging is Messaging.EV2:
        assert reason(ev1) is RefusalReason.PROOF_FAILED


def test_the_commands_are_those_of_the_card_byte_for_byte() -> None:
    assert bytes(select_application(APPLICATION.identifier)).hex().upper() == "905A0000033412F500"
    scripted = ScriptedCard([Response(b"", 0x9100), Response(b"", 0x911C), Response(b"", 0x91AE)], FIXED_UID)
    assert reason(desfire_scheme().identify(scripted)) is RefusalReason.PROOF_FAILED
    sent = [bytes(command).hex().upper() for command in scripted.sent]
    assert sent == ["905A0000033412F500", "9071000002020000", "90AA0000010200"]


def test_a_hidden_uid_is_asked_for_with_the_shared_key_first() -> None:
    scripted = ScriptedCard([Response(b"", 0x9100), Response(b"", 0x91AE)])
    assert reason(desfire_scheme().identify(scripted)) is RefusalReason.PROOF_FAILED
    assert bytes(scripted.sent[1]).hex().upper() == "9071000002030000"


@pytest.mark.parametrize("uid", [None, Uid.from_hex("08A1B2C3"), Uid.from_hex("80A1B2C3"), Uid.from_hex("00" * 7)])
def test_a_uid_that_cannot_be_the_card_s_own_is_never_used_for_its_key(uid: Uid | None) -> None:
    scripted = ScriptedCard([Response(b"", 0x9100)], uid)
    scheme = desfire_scheme(replace(APPLICATION, uid_key_number=None))
    assert reason(scheme.identify(scripted)) is RefusalReason.RANDOM_UID
    assert len(scripted.sent) == 1


@pytest.mark.parametrize("knows_ev2", [True, False])
@pytest.mark.parametrize("random_uid", [True, False])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.WRONG_KEY, {RefusalReason.PROOF_FAILED}),
        (Fault.FORGED, {RefusalReason.PROOF_FAILED}),
        (Fault.TAMPERED, {RefusalReason.PROOF_FAILED}),
        (Fault.WITHOUT_MAC, {RefusalReason.PROOF_FAILED}),
        (Fault.TWO_UIDS, {RefusalReason.PROOF_FAILED}),
        (Fault.DROPPED, {RefusalReason.CARD_GONE}),
        (Fault.RANDOM_LENGTHS, {RefusalReason.PROOF_FAILED}),
        (Fault.ENDLESS_FRAMES, {RefusalReason.MISBEHAVED}),
        (Fault.ENDLESS_61XX, {RefusalReason.MISBEHAVED}),
        (Fault.SLOW, {RefusalReason.TOO_SLOW}),
    ],
)
def test_a_card_with_a_fault_ends_the_ladder(
    fault: Fault, expected: set[RefusalReason], knows_ev2: bool, random_uid: bool
) -> None:
    clock = ManualClock()
    with presented(card(fault, knows_ev2=knows_ev2, random_uid=random_uid, sleep=clock.advance)) as connected:
        outcome = ladder(clock).identify(connected)
    assert reason(outcome) in expected


@pytest.mark.parametrize("knows_ev2", [True, False])
@pytest.mark.parametrize("random_uid", [True, False])
@pytest.mark.parametrize("fault", [Fault.REPLAYED, Fault.STALE_DATA])
def test_what_an_earlier_tap_said_is_worth_nothing(fault: Fault, knows_ev2: bool, random_uid: bool) -> None:
    desfire = card(knows_ev2=knows_ev2, random_uid=random_uid)
    assert isinstance(tap(desfire), Claim)
    desfire.fault = fault
    for _again in range(3):
        assert reason(tap(desfire)) is RefusalReason.PROOF_FAILED
    desfire.fault = Fault.NONE
    assert isinstance(tap(desfire), Claim)


@pytest.mark.parametrize("random_uid", [True, False])
@pytest.mark.parametrize("taps", range(10))
def test_lengths_that_lie_never_make_a_claim(taps: int, random_uid: bool) -> None:
    assert reason(tap(card(Fault.RANDOM_LENGTHS, random_uid=random_uid))) is RefusalReason.PROOF_FAILED


def test_one_card_s_key_opens_no_other() -> None:
    opened = card()
    copy = DesfireCard(OTHER_UID, opened.memory.applications)
    assert reason(tap(copy)) is RefusalReason.PROOF_FAILED


def test_a_card_of_another_site_is_refused_and_one_without_the_application_left_alone() -> None:
    assert reason(tap(card(), desfire_scheme(keys=FOREIGN_KEYS))) is RefusalReason.PROOF_FAILED
    assert tap(card(), desfire_scheme(replace(APPLICATION, identifier=b"\x01\x02\x03"))) is None


@pytest.mark.parametrize("names", [(), ("desfire-uid",), ("desfire-read",)])
def test_a_kiosk_without_the_keys_says_so(names: tuple[str, ...]) -> None:
    keys = MemoryKeys({name: SITE_KEYS[name] for name in names})
    assert reason(tap(card(random_uid=True), desfire_scheme(keys=keys))) is RefusalReason.KEY_MISSING


@pytest.mark.parametrize("size", [1, 16, 31])
def test_a_file_is_read_as_far_as_the_site_says(size: int) -> None:
    claim = tap(card(), desfire_scheme(replace(APPLICATION, file_size=size)))
    assert isinstance(claim, Claim)
    assert claim.subject == UID.value + IDENTITY[:size]


def test_a_file_shorter_than_the_site_says_is_refused() -> None:
    scheme = desfire_scheme(replace(APPLICATION, file_size=len(IDENTITY) + 1))
    assert reason(tap(card(), scheme)) is RefusalReason.PROOF_FAILED


@pytest.mark.parametrize("knows_ev2", [True, False])
def test_a_long_file_comes_in_several_frames(knows_ev2: bool) -> None:
    identity = bytes(range(240))
    application = replace(APPLICATION, file_size=len(identity))
    long = issue(application, UID, identity, SITE_KEYS, knows_ev2=knows_ev2)
    claim = tap(long, desfire_scheme(application))
    assert isinstance(claim, Claim)
    assert claim.subject == UID.value + identity


def test_the_key_that_reads_the_uid_reads_nothing_else() -> None:
    scheme = desfire_scheme(replace(APPLICATION, read_key_number=3))
    desfire = card()
    application = desfire.memory.applications[APPLICATION.identifier]
    application.keys[3] = application.keys[2]
    assert reason(tap(desfire, scheme)) is RefusalReason.PROOF_FAILED


@pytest.mark.parametrize(
    "other",
    [UidCard(FIXED_UID, takes_apdus=True), PkocPhone.generate(), EchoCard(), EchoCard(lambda _raw: b"\x91\xaf")],
)
def test_other_cards_are_left_to_other_schemes(other: UidCard | PkocPhone | EchoCard) -> None:
    with presented(other) as connected:
        assert desfire_scheme().identify(connected) is None


def test_a_storage_card_is_not_even_asked() -> None:
    with presented(UidCard(FIXED_UID)) as connected:
        assert not desfire_scheme().may_apply(connected)


@pytest.mark.parametrize(
    "change",
    [
        {"identifier": b"\x00\x00\x00"},
        {"identifier": b"\x01"},
        {"file_number": 32},
        {"file_size": 0},
        {"file_size": 241},
        {"read_key_number": 14},
        {"uid_key_number": -1},
        {"system_identifier": bytes(22)},
        {"messagings": ()},
    ],
)
def test_an_application_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ReaderError):
        replace(APPLICATION, **change)


words = st.sampled_from([0x9100, 0x91AF, 0x91AE, 0x911C, 0x9000]) | st.integers(0, 0xFFFF)
data = st.binary(max_size=80) | st.binary(min_size=16, max_size=16) | st.binary(min_size=32, max_size=32)
answers = st.builds(Response, data, words) | st.just(Response(bytes(16), 0x91AF)) | st.just(CardGone("gone"))


@given(script=st.lists(answers, max_size=12), hidden=st.booleans())
def test_no_random_card_makes_a_claim_or_an_error(script: list[Response | Exception], hidden: bool) -> None:
    uid = Uid.from_hex("08A1B2C3") if hidden else FIXED_UID
    selected = [Response(b"", 0x9100), *script]
    outcome = Ladder([desfire_scheme()], ManualClock()).identify(ScriptedCard(selected, uid))
    assert isinstance(outcome, Refusal)


def test_no_key_shows_in_text_or_traceback() -> None:
    desfire = card(Fault.ENDLESS_FRAMES)
    scheme = desfire_scheme()
    told = ""
    with presented(desfire) as connected:
        try:
            scheme.identify(connected)
        except ReaderError:
            told = traceback.format_exc()
    assert told
    claim = tap(card())
    texts = [told, *(f"{thing!r}{thing}" for thing in (claim, scheme, desfire, KEYS, APPLICATION))]
    own = KEYS.diversified("desfire-read", APPLICATION.diversification(UID))
    for text in texts:
        for secret in (*SITE_KEYS.values(), own, UID.value, IDENTITY):
            assert secret.hex() not in text.lower()
            assert repr(secret)[2:-1] not in text
