import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Response
from readers.credentials.aes_keys import MemoryKeys
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.counters import MemoryCounters
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import Ladder
from readers.credentials.native import ProofFailed
from readers.credentials.ntag424_sun import SunScheme, SunTag
from readers.credentials.sdm import SunLayout, SunMessage, TagState, session_mac_key
from readers.errors import CardGone, ReaderError
from readers.uid import Uid
from readers.virtual.aes_card import Fault
from readers.virtual.ntag424_card import Ntag424Card, Sun, issue
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, EchoCard, ManualClock, ScriptedCard, presented
from tests.readers.credentials.aes_cards import (
    COVERING_LAYOUT,
    FOREIGN_KEYS,
    LAYOUT,
    SITE_KEYS,
    SUN_TAG,
    TAG_KEYS,
    TEMPLATE,
    UID,
    sun_scheme,
)

Outcome = Claim | Refusal | None
ZERO_KEY = bytes(16)
# AN12196 3.4.2.1, 3.4.4.2.1 and table 17
NOTE_UID = Uid.from_hex("04DE5F1EACC040")
NOTE_FILE = TEMPLATE.replace(b"e=" + b"0" * 32, b"e=EF963FF7828658A599F3041510671E88").replace(
    b"c=" + b"0" * 16, b"c=94EED9EE65337086"
)


def tag(
    fault: Fault = Fault.NONE,
    *,
    sun: SunTag = SUN_TAG,
    random_uid: bool = False,
    sleep: Callable[[float], None] = lambda _seconds: None,
) -> Ntag424Card:
    return issue(UID, SITE_KEYS, TAG_KEYS, sun, TEMPLATE, random_uid=random_uid, fault=fault, sleep=sleep)


def tap(card: Ntag424Card, scheme: SunScheme) -> Outcome:
    with presented(card) as connected:
        return scheme.identify(connected)


def reason(outcome: Outcome) -> RefusalReason:
    assert isinstance(outcome, Refusal)
    assert outcome.sentence
    assert outcome.scheme == "ntag424-sun"
    return outcome.reason


def test_the_message_of_the_note_opens_and_its_mac_is_right() -> None:
    message = SunMessage.parse(NOTE_FILE, LAYOUT)
    assert message is not None
    state = message.open(ZERO_KEY)
    assert (state.uid, state.counter) == (NOTE_UID, 61)
    assert session_mac_key(ZERO_KEY, state).hex().upper() == "3FB5F6E3A807A03D5E3570ACE393776F"
    message.verify(state, ZERO_KEY)
    with pytest.raises(ProofFailed):
        message.verify(TagState(state.uid, 62), ZERO_KEY)
    with pytest.raises(ProofFailed):
        message.verify(state, b"\x01" + bytes(15))


def test_a_mac_over_a_part_of_the_file_is_that_of_the_public_example() -> None:
    file = b"e=FD91EC264309878BE6345CBE53BADF40&enc=CEE9A53E3E463EF1F459635736738962&cmac=ECC1E7F6C6C73BF6"
    covered = file.index(b"CEE9")
    message = SunMessage.parse(file, SunLayout(picc_data=2, mac_input=covered, mac=file.index(b"ECC1")))
    assert message is not None
    state = message.open(ZERO_KEY)
    assert (state.uid.hex(), state.counter) == ("04958CAA5C5E80", 8)
    message.verify(state, ZERO_KEY)


def test_the_virtual_tag_writes_the_file_of_the_note() -> None:
    sun = Sun(TEMPLATE, LAYOUT, ZERO_KEY, ZERO_KEY, padding=bytes.fromhex("DA5CF60941"))
    card = Ntag424Card(NOTE_UID, {}, sun, counter=60)
    card.power_on()
    card.exchange(bytes.fromhex("00A4040007D276000085010100"))
    card.exchange(bytes.fromhex("00A4000C02E104"))
    read = card.exchange(bytes.fromhex("00B0000053"))
    assert read == NOTE_FILE + b"\x90\x00"


@pytest.mark.parametrize("random_uid", [True, False])
@pytest.mark.parametrize("layout", [LAYOUT, COVERING_LAYOUT])
def test_a_message_identifies_its_tag_and_no_more(layout: SunLayout, random_uid: bool) -> None:
    sun = SunTag(layout, system_identifier=b"imaging")
    claim = tap(tag(sun=sun, random_uid=random_uid), sun_scheme(tag=sun))
    fingerprint = "ntag424-sun:" + hashlib.sha256(UID.value).hexdigest()[:16]
    assert claim == Claim("ntag424-sun", UID.value, UID, Assurance.IDENTIFIER, fingerprint)


def test_each_read_has_a_counter_of_its_own_and_counts_once() -> None:
    counters = MemoryCounters()
    card = tag()
    for _tap in range(3):
        assert isinstance(tap(card, sun_scheme(counters)), Claim)
    assert not counters.advance(UID.value, 3)
    assert counters.advance(UID.value, 4)


def test_a_message_said_again_is_refused_at_every_kiosk_of_the_site() -> None:
    counters = MemoryCounters()
    card = tag()
    assert isinstance(tap(card, sun_scheme(counters)), Claim)
    card.fault = Fault.REPLAYED
    for _again in range(2):
        assert reason(tap(card, sun_scheme(counters))) is RefusalReason.REPLAYED
    card.fault = Fault.NONE
    assert isinstance(tap(card, sun_scheme(counters)), Claim)


def test_a_message_read_earlier_and_shown_later_is_refused() -> None:
    counters = MemoryCounters()
    newer, older = (issue(UID, SITE_KEYS, None, SUN_TAG, TEMPLATE) for _copy in range(2))
    for _tap in range(2):
        assert isinstance(tap(newer, sun_scheme(counters)), Claim)
    assert reason(tap(older, sun_scheme(counters))) is RefusalReason.REPLAYED


def test_a_forged_message_does_not_move_the_counter() -> None:
    class Refusing:
        def advance(self, subject: bytes, counter: int) -> bool:
            raise AssertionError("a message was counted before it was believed")

    for fault in (Fault.WRONG_KEY, Fault.FORGED, Fault.TAMPERED, Fault.WITHOUT_MAC, Fault.TWO_UIDS):
        assert reason(tap(tag(fault), sun_scheme(Refusing()))) is RefusalReason.PROOF_FAILED


def test_a_counter_store_that_fails_makes_no_claim() -> None:
    class Broken:
        def advance(self, subject: bytes, counter: int) -> bool:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        tap(tag(), sun_scheme(Broken()))


def test_of_many_that_race_with_one_counter_one_wins() -> None:
    counters = MemoryCounters()
    barrier = threading.Barrier(8)
    won: list[bool] = []

    def race() -> None:
        barrier.wait()
        won.append(counters.advance(b"tag", 5))

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.WRONG_KEY, RefusalReason.PROOF_FAILED),
        (Fault.FORGED, RefusalReason.PROOF_FAILED),
        (Fault.TAMPERED, RefusalReason.PROOF_FAILED),
        (Fault.WITHOUT_MAC, RefusalReason.PROOF_FAILED),
        (Fault.TWO_UIDS, RefusalReason.PROOF_FAILED),
        (Fault.DROPPED, RefusalReason.CARD_GONE),
        (Fault.ENDLESS_61XX, RefusalReason.MISBEHAVED),
        (Fault.SLOW, RefusalReason.TOO_SLOW),
    ],
)
def test_a_tag_with_a_fault_ends_the_ladder(fault: Fault, expected: RefusalReason) -> None:
    clock = ManualClock()
    with presented(tag(fault, sleep=clock.advance)) as connected:
        outcome = Ladder([sun_scheme(), UidScheme()], clock).identify(connected)
    assert reason(outcome) is expected


@pytest.mark.parametrize("taps", range(10))
def test_lengths_that_lie_never_make_a_claim(taps: int) -> None:
    assert not isinstance(tap(tag(Fault.RANDOM_LENGTHS), sun_scheme()), Claim)


def test_a_tag_of_another_site_is_refused() -> None:
    assert reason(tap(tag(), sun_scheme(keys=FOREIGN_KEYS))) is RefusalReason.PROOF_FAILED


def test_a_kiosk_without_the_keys_says_so() -> None:
    for names in ([], ["ntag424-meta"], ["ntag424-file"]):
        keys = MemoryKeys({name: SITE_KEYS[name] for name in names})
        assert reason(tap(tag(), sun_scheme(keys=keys))) is RefusalReason.KEY_MISSING


def test_a_tag_with_another_message_is_left_to_other_schemes() -> None:
    plain = Ntag424Card(UID, {}, Sun(b"\x00\x05hello", LAYOUT, ZERO_KEY, ZERO_KEY))
    assert reason(tap(plain, sun_scheme())) is RefusalReason.PROOF_FAILED
    assert tap(Ntag424Card(UID, {}), sun_scheme()) is None


def ndef_tag(file: bytes, *, broken_off: bool = False) -> ScriptedCard:
    """A tag of fixed UID whose NDEF file is this, up to where the layout ends; or breaks off before that."""
    parts = [Response(file[start : start + 128], 0x9000) for start in range(0, len(file), 128)]
    end = [Response(b"", 0x6B00)] if broken_off else []
    return ScriptedCard([Response(b"", 0x9000), Response(b"", 0x9000), *parts, *end], FIXED_UID)


@pytest.mark.parametrize(
    "garbled",
    [
        ndef_tag(NOTE_FILE.replace(b"e=E", b"e=X")),
        ndef_tag(NOTE_FILE.replace(b"c=9", b"c=\xff")),
        ndef_tag(NOTE_FILE[:-16] + b"?" * 16),
        ndef_tag(NOTE_FILE[:0x20] + b"\x00" * 16 + NOTE_FILE[0x30:]),
        ndef_tag(NOTE_FILE[:-1], broken_off=True),
        ndef_tag(NOTE_FILE[:0x40], broken_off=True),
    ],
)
def test_a_garbled_message_never_falls_back_to_the_uid(garbled: ScriptedCard) -> None:
    assert reason(Ladder([sun_scheme(), UidScheme()], ManualClock()).identify(garbled)) is RefusalReason.PROOF_FAILED


@pytest.mark.parametrize(
    "file",
    [
        b"\x00\x50\xd1\x01\x4cU\x04" + b"radiology.example-hospital.org/staff-directory/reading-room/contact-us.html",
        b"\x00\x00" + bytes(0x51),
        b"\x00\x12\xd1\x01\x0eT\x02en0123456789A",
    ],
)
def test_a_badge_with_a_text_of_its_own_is_left_to_its_uid(file: bytes) -> None:
    outcome = Ladder([sun_scheme(), UidScheme()], ManualClock()).identify(ndef_tag(file, broken_off=len(file) < 0x53))
    assert isinstance(outcome, Claim)
    assert outcome.kind == "iso14443"


@pytest.mark.parametrize("other", [UidCard(FIXED_UID, takes_apdus=True), PkocPhone.generate(), EchoCard()])
def test_other_cards_are_left_to_other_schemes(other: UidCard | PkocPhone | EchoCard) -> None:
    with presented(other) as connected:
        assert sun_scheme().identify(connected) is None


@pytest.mark.parametrize("places", [(1, 2, 40), (2, 2, 33), (2, 50, 40), (2, -1, 40), (2, 2, 241)])
def test_places_that_cannot_be_are_refused(places: tuple[int, int, int]) -> None:
    with pytest.raises(ReaderError):
        SunLayout(*places)


texts = st.text("0123456789ABCDEFabcdefxyz ", min_size=0x53, max_size=0x60).map(str.encode) | st.binary(max_size=0x60)


@given(file=texts)
def test_no_random_message_is_believed(file: bytes) -> None:
    with suppress(ProofFailed):
        message = SunMessage.parse(file, LAYOUT)
        if message is not None:
            message.verify(message.open(ZERO_KEY), ZERO_KEY)
            pytest.fail("a random message was believed")


@given(script=st.lists(st.builds(Response, texts, st.sampled_from([0x9000, 0x6282, 0x6A82, 0x9100])), max_size=6))
def test_no_random_card_makes_a_claim_or_an_error(script: list[Response | Exception]) -> None:
    selected = [Response(b"", 0x9000), Response(b"", 0x9000), *script, CardGone("gone")]
    outcome = Ladder([sun_scheme()], ManualClock()).identify(ScriptedCard(selected, FIXED_UID))
    assert isinstance(outcome, Refusal)
