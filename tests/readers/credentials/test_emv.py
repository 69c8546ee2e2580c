import hashlib
import hmac
import time
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Command, Response
from readers.credentials.aes_keys import KeyFiles, MemoryKeys
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.emv import OWNER_VERIFIED, WHOLE_ACCOUNT, EmvScheme
from readers.credentials.emv_application import (
    DIRECTORY,
    applications,
    get_processing_options,
    processing_options,
    records,
    select,
)
from readers.credentials.emv_keys import StoredIdentifierKey
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import DEFAULT_LIMITS, Ladder
from readers.credentials.limits import LimitedCard
from readers.errors import ReaderError, TlvError
from readers.reader import Card
from readers.tlv import build
from readers.virtual.card import VirtualCard
from readers.virtual.emv_card import INS_PAY, OPTIONS, EmvCard, Fault, Profile
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, ManualClock, ScriptedCard, presented

NUMBER = "4761739001010010"
ODD_NUMBER = "6759649826438453012"
REFERENCE = "V0010013021123456789012345678"
KEY = bytes(range(16))
# Two applications, Interac first (published transcript of a Canadian card)
PPSE = bytes.fromhex(
    "6F3B840E325041592E5359532E4444463031A529BF0C2661104F07A000000042101050024342870101"
    "61124F07A0000000031010500456495341870102"
)


class Keys:
    def __init__(self, key: bytes = KEY) -> None:
        self._key = key

    def diversified(self, name: str, diversification: bytes) -> bytes:
        if name != "emv":
            raise KeyError(name)
        return self._key


class RecordingCard:
    """A card that remembers what it was asked."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self.sent: list[Command] = []
        self.uid, self.atr, self.takes_apdus = card.uid, card.atr, card.takes_apdus

    def transmit(self, command: Command) -> Response:
        self.sent.append(command)
        return self._card.transmit(command)


def scheme(key: bytes = KEY) -> EmvScheme:
    return EmvScheme(StoredIdentifierKey(Keys(key)))


def identify(card: VirtualCard, key: bytes = KEY) -> Claim | Refusal | None:
    with presented(card) as connected:
        return scheme(key).identify(LimitedCard(connected, DEFAULT_LIMITS, ManualClock()))


def claimed(card: VirtualCard, key: bytes = KEY) -> Claim:
    claim = identify(card, key)
    assert isinstance(claim, Claim)
    return claim


def reason(outcome: Claim | Refusal | None) -> RefusalReason:
    assert isinstance(outcome, Refusal)
    return outcome.reason


def ok(data: bytes) -> Response:
    return Response(data, 0x9000)


def test_the_commands_are_those_of_the_books() -> None:
    assert bytes(select(DIRECTORY)).hex().upper() == "00A404000E325041592E5359532E444446303100"
    assert bytes(get_processing_options(b"")).hex().upper() == "80A8000002830000"
    control = ok(build(0x6F, build(0xA5, build(0x9F38, OPTIONS))))
    command = bytes(get_processing_options(processing_options(control))).hex().upper()
    assert command == "80A80000238321" + "36004000" + "00" * 29 + "00"


def test_applications_come_in_the_order_of_their_priority() -> None:
    interac, visa = bytes.fromhex("A0000000421010"), bytes.fromhex("A0000000031010")
    assert applications(ok(PPSE)) == (interac, visa)
    swapped = PPSE.replace(b"\x87\x01\x01", b"\x87\x01\x0f").replace(b"\x87\x01\x02", b"\x87\x01\x81")
    assert applications(ok(swapped)) == (visa, interac)
    without = PPSE.replace(b"\x87\x01\x01", b"\x88\x01\x01")
    assert applications(ok(without)) == (visa, interac)


def test_records_are_read_where_either_format_says() -> None:
    locator = bytes.fromhex("0801010010010201")
    for told in (build(0x80, b"\x19\x80" + locator), build(0x77, build(0x82, b"\x19\x80") + build(0x94, locator))):
        commands = [bytes(command).hex().upper() for item in records(ok(told)) for command in item.commands()]
        assert commands == ["00B2010C00", "00B2011400", "00B2021400"]


@pytest.mark.parametrize("locator", ["0801", "00010100", "F8010100", "08000100", "08020100", "0801FF00"])
def test_a_locator_that_points_nowhere_is_refused(locator: str) -> None:
    with pytest.raises(TlvError):
        records(ok(build(0x77, build(0x94, bytes.fromhex(locator)))))


@pytest.mark.parametrize("options", ["9F", "9F66", "9F80", "9F66FF9F02FF"])
def test_a_list_of_options_that_breaks_off_or_overflows_is_refused(options: str) -> None:
    with pytest.raises(TlvError):
        processing_options(ok(build(0x6F, build(0xA5, build(0x9F38, bytes.fromhex(options))))))


def test_the_longest_list_of_options_that_a_card_can_send_is_refused_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(TlvError):
        processing_options(ok(build(0x6F, build(0xA5, build(0x9F38, b"\x01\xff" * 16_000)))))
    assert time.monotonic() - started < 5.0


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("number", [NUMBER, ODD_NUMBER])
def test_the_subject_is_a_keyed_hash_of_number_and_sequence_however_the_card_tells_them(
    profile: Profile, number: str
) -> None:
    message = b"account number:" + bytes((len(number), *map(int, number))).ljust(20, b"\x00") + b"\x03"
    claim = claimed(EmvCard(number, profile, sequence=3, uid=FIXED_UID))
    assert claim.subject == hmac.new(KEY, message, hashlib.sha256).digest()
    assert (claim.kind, claim.assurance, claim.proof) == ("emv", Assurance.IDENTIFIER, None)
    assert claim.fingerprint == "emv:" + claim.subject.hex()[:16]
    assert claimed(EmvCard(number, profile, sequence=4)).subject != claim.subject
    assert claimed(EmvCard(number, profile, sequence=3), bytes(16)).subject != claim.subject


@pytest.mark.parametrize("profile", Profile)
def test_the_account_reference_goes_before_the_number_and_is_hashed_too(profile: Profile) -> None:
    claim = claimed(EmvCard(NUMBER, profile, REFERENCE))
    message = b"account reference:" + REFERENCE.encode()
    assert claim.subject == hmac.new(KEY, message, hashlib.sha256).digest()
    assert claimed(EmvCard(ODD_NUMBER, profile, REFERENCE)).subject == claim.subject
    assert WHOLE_ACCOUNT in claim.notes
    assert WHOLE_ACCOUNT not in claimed(EmvCard(NUMBER, profile)).notes


@pytest.mark.parametrize("placeholder", ["0" * 28, "V" * 30, " " * 29, "v001001302112345678901234567x"])
def test_a_placeholder_is_no_account_reference(placeholder: str) -> None:
    number = claimed(EmvCard(NUMBER, Profile.VISA))
    assert claimed(EmvCard(NUMBER, Profile.VISA, placeholder)).subject == number.subject


def test_only_a_wallet_notes_that_its_owner_was_verified() -> None:
    verified = {profile for profile in Profile if OWNER_VERIFIED in claimed(EmvCard(NUMBER, profile)).notes}
    assert verified == {Profile.WALLET}


def test_a_wallet_has_another_uid_and_the_same_subject_at_every_tap() -> None:
    phone = EmvCard(NUMBER, Profile.WALLET)
    first, second = claimed(phone), claimed(phone)
    assert first.subject == second.subject
    assert first.uid is not None
    assert first.uid.is_random
    assert first.uid != second.uid


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("fault", [Fault.NONE, Fault.REFUSES_OPTIONS, Fault.NO_DIRECTORY, Fault.BROKEN_OFF])
def test_nothing_is_ever_asked_that_pays(profile: Profile, fault: Fault) -> None:
    card = EmvCard(NUMBER, profile, fault=fault)
    with presented(card) as connected:
        recording = RecordingCard(connected)
        scheme().identify(recording)
    assert {command.ins for command in recording.sent} <= {0xA4, 0xA8, 0xB2}
    assert not card.asked_to_pay
    assert card.transactions <= 2
    assert INS_PAY == 0xAE


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("fault", [Fault.REFUSES_OPTIONS, Fault.NO_DIRECTORY])
def test_an_unusual_card_is_the_same_card(profile: Profile, fault: Fault) -> None:
    usual = claimed(EmvCard(NUMBER, profile))
    assert claimed(EmvCard(NUMBER, profile, fault=fault)).subject == usual.subject


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.LOCKED, RefusalReason.NOT_READY),
        (Fault.NO_NUMBER, RefusalReason.NOT_READY),
        (Fault.BROKEN_OFF, RefusalReason.MISBEHAVED),
        (Fault.RANDOM_LENGTHS, RefusalReason.MISBEHAVED),
        (Fault.ENDLESS_61XX, RefusalReason.MISBEHAVED),
        (Fault.DROPPED, RefusalReason.CARD_GONE),
        (Fault.SLOW, RefusalReason.TOO_SLOW),
    ],
)
def test_a_card_with_a_fault_never_falls_back_to_its_uid(
    profile: Profile, fault: Fault, expected: RefusalReason
) -> None:
    clock = ManualClock()
    card = EmvCard(NUMBER, profile, uid=FIXED_UID, fault=fault, sleep=clock.advance)
    with presented(card) as connected:
        refusal = Ladder([scheme(), UidScheme()], clock).identify(connected)
    assert reason(refusal) is expected
    assert isinstance(refusal, Refusal)
    assert refusal.scheme == "emv"


@pytest.mark.parametrize("profile", [Profile.MASTERCARD, Profile.FORMAT_1])
def test_a_record_that_is_missing_does_not_make_another_card_of_it(profile: Profile) -> None:
    card = EmvCard(NUMBER, profile, REFERENCE, fault=Fault.MISSING_RECORD)
    assert reason(identify(card)) is RefusalReason.MISBEHAVED


def test_a_directory_without_applications_asks_for_the_owner() -> None:
    empty = ok(build(0x6F, build(0x84, DIRECTORY) + build(0xA5, build(0xBF0C, b""))))
    assert reason(scheme().identify(ScriptedCard([empty]))) is RefusalReason.NOT_READY


def test_a_card_without_a_payment_application_is_left_to_other_schemes() -> None:
    assert identify(UidCard(FIXED_UID, takes_apdus=True)) is None
    assert scheme().identify(ScriptedCard([ok(b"")])) is None
    assert scheme().identify(ScriptedCard([Response(b"", 0x6D00)])) is None
    assert scheme().identify(ScriptedCard([Response(b"", 0x6A82), *[ok(b"")] * 4])) is None


@pytest.mark.parametrize("told", [b"\x01\x02\x03", b"\x6f\x20\x84", build(0x70, b""), PPSE[:-1], bytes(4)])
def test_a_directory_that_cannot_be_read_never_falls_back_to_the_uid(told: bytes) -> None:
    refusal = Ladder([scheme(), UidScheme()], ManualClock()).identify(ScriptedCard([ok(told)], uid=FIXED_UID))
    assert reason(refusal) is RefusalReason.MISBEHAVED
    assert isinstance(refusal, Refusal)
    assert refusal.scheme == "emv"


def test_without_a_key_no_card_is_anybody() -> None:
    broken = EmvScheme(StoredIdentifierKey(Keys(), name="none"))
    with presented(EmvCard(NUMBER)) as connected:
        assert reason(broken.identify(connected)) is RefusalReason.KEY_MISSING


def test_the_number_is_gone_from_the_frames_of_a_failure() -> None:
    class Broken:
        def keyed_hash(self, message: bytearray) -> bytes:
            raise ReaderError(f"broken over {len(message)} bytes")

    with presented(EmvCard(NUMBER)) as connected, pytest.raises(ReaderError) as raised:
        EmvScheme(Broken()).identify(LimitedCard(connected, DEFAULT_LIMITS, ManualClock()))
    shown = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    for form in (NUMBER, repr(bytes.fromhex(NUMBER))[2:-1], repr(bytes(map(int, NUMBER)))[2:-1]):
        assert form not in shown
    frames = list(traceback.walk_tb(raised.value.__traceback__))
    held = [value for frame, _line in frames for value in frame.f_locals.values() if isinstance(value, bytearray)]
    assert len(held) >= 2
    assert not any(any(value) for value in held)


def test_the_site_keeps_the_key_in_a_file_and_the_scheme_never_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "emv.key"
    path.write_text(KEY.hex())
    path.chmod(0o600)
    stored = StoredIdentifierKey(KeyFiles(tmp_path))
    derived = StoredIdentifierKey(MemoryKeys({"emv": KEY}))
    assert stored.keyed_hash(bytearray(b"message")) == derived.keyed_hash(bytearray(b"message"))
    assert stored.keyed_hash(bytearray(b"message")) != hmac.new(KEY, b"message", hashlib.sha256).digest()
    path.unlink()
    with pytest.raises(ReaderError):
        stored.keyed_hash(bytearray(b"message"))


def test_text_about_cards_and_claims_holds_no_digits_of_a_number() -> None:
    card = EmvCard(NUMBER, account_reference=REFERENCE, uid=FIXED_UID)
    claim = claimed(card)
    for text in (repr(card), str(card), repr(claim), str(claim), str(vars(claim)), repr(StoredIdentifierKey(Keys()))):
        assert NUMBER not in text
        assert NUMBER[-4:] not in text.replace(claim.subject.hex(), "").replace(claim.fingerprint, "")
        assert REFERENCE not in text


tags = st.sampled_from([0x6F, 0xA5, 0x61, 0x4F, 0x87, 0x9F38, 0x77, 0x80, 0x82, 0x94, 0x57, 0x70, 0x5A, 0x9F24, 0x9F6C])
inner = st.builds(build, tags, st.binary(max_size=20))
bodies = st.binary(max_size=100) | st.builds(build, tags, st.lists(inner, max_size=4).map(b"".join))
words = st.sampled_from([0x9000, 0x9000, 0x6A82, 0x6985, 0x6700, 0x6110]) | st.integers(0, 0xFFFF)


@given(script=st.lists(st.builds(Response, bodies, words), max_size=30))
def test_no_random_card_is_more_than_an_identifier_or_an_error(script: list[Response]) -> None:
    for start in ([], [ok(PPSE), ok(build(0x6F, build(0x84, DIRECTORY)))]):
        card = ScriptedCard([*start, *script], uid=FIXED_UID)
        outcome = Ladder([scheme(), UidScheme()], ManualClock()).identify(card)
        assert isinstance(outcome, Refusal) or outcome.assurance is Assurance.IDENTIFIER
        assert all(command.ins in (0xA4, 0xA8, 0xB2, 0xC0) for command in card.sent)
