import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Response
from readers.credentials.claim import Assurance, Claim, Nonce, Refusal, RefusalReason
from readers.credentials.limits import TimeSpent
from readers.credentials.pkoc import PkocScheme, authenticate, credential, derived_identifier, fingerprint, is_signed
from readers.errors import ReaderError
from readers.virtual.pkoc_phone import Fault, PkocPhone
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, ManualClock, RecordedNonces, ScriptedCard, presented

# PKOC Core 2.0.1, 4.7
EXAMPLE_KEY = bytes.fromhex(
    "04BEA02AA1320054CFF1DFD2F88FA583B5B059833BA87CEC415ABDAE0791F0EC66"
    "A913C7104A725F6497B8C08FF91217B106FEF7B51ACD4ADF6645E765E4E88D84"
)
# A transaction of a PKOC reader that is in the tests of PKOC.Net: key, signature, and the 16 bytes that were signed.
PUBLIC_KEY = bytes.fromhex(
    "040EC5D87DC39D14A2C5480686DA860C82B16BE0B6903B525F84848B79FD463E32"
    "BBDA1F0252C33503C5287035E6EAC55D138D0650DCFB5281D59A9CF4124D2831"
)
PUBLIC_SIGNATURE = bytes.fromhex(
    "B98613070C78010B04ED306D143F94EE6DC4ECA2585B621405731FB3A53CD877"
    "A21685DE18435DA7CBCC38F1D926300A454EFEE3594CEC5EFFE28C7FEAC03D7D"
)
PUBLIC_NONCE = bytes.fromhex("6FCF5012B224043B09350A4FC5E56A8F")
SELECTED = Response(bytes.fromhex("5C020100"), 0x9000)
PHONE = PkocPhone.generate()


def scheme() -> PkocScheme:
    return PkocScheme(RecordedNonces(), ManualClock())


def test_the_credential_and_the_identifier_are_those_of_the_specification() -> None:
    assert credential(EXAMPLE_KEY).hex().upper() == "BEA02AA1320054CFF1DFD2F88FA583B5B059833BA87CEC415ABDAE0791F0EC66"
    assert derived_identifier(EXAMPLE_KEY, 8).hex().upper() == "5ABDAE0791F0EC66"
    assert derived_identifier(EXAMPLE_KEY, 32) == credential(EXAMPLE_KEY)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_public_transaction_makes_the_claim_in_either_order(swapped: bool) -> None:
    class Public:
        def fresh(self) -> Nonce:
            return Nonce(PUBLIC_NONCE)

    objects = [b"\x5a\x41" + PUBLIC_KEY, b"\x9e\x40" + PUBLIC_SIGNATURE]
    answer = Response(b"".join(reversed(objects) if swapped else objects), 0x9000)
    claim = PkocScheme(Public(), ManualClock()).identify(ScriptedCard([SELECTED, answer]))
    assert isinstance(claim, Claim)
    assert claim.subject == PUBLIC_KEY


@pytest.mark.parametrize("size", [0, 7, 33])
def test_an_identifier_that_is_too_short_or_too_long_is_refused(size: int) -> None:
    with pytest.raises(ReaderError):
        derived_identifier(EXAMPLE_KEY, size)


def test_a_compressed_key_has_no_credential() -> None:
    with pytest.raises(ReaderError):
        credential(b"\x02" + EXAMPLE_KEY[1:33])


def test_the_commands_are_those_of_the_profile_byte_for_byte() -> None:
    card = ScriptedCard([SELECTED, Response(b"", 0x6700), Response(b"", 0x6985)])
    PkocScheme(RecordedNonces(), ManualClock(), bytes(range(32))).identify(card)
    select, with_le, without_le = (bytes(command).hex().upper() for command in card.sent)
    assert select == "00A4040008A00000089800000100"
    identifiers = bytes(range(32)).hex().upper()
    assert with_le == f"80800001385C0201004C10{1:032X}4D20{identifiers}00"
    assert without_le == f"80800001385C0201004C10{2:032X}4D20{identifiers}"
    assert bytes(authenticate(bytes(16), bytes(32), None))[4] == 0x38


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.SWAPPED_ORDER])
def test_a_phone_with_its_key_is_authenticated_and_the_proof_can_be_checked_again(fault: Fault) -> None:
    phone = PkocPhone.generate(fault)
    nonces = RecordedNonces()
    with presented(phone) as card:
        claim = PkocScheme(nonces, ManualClock()).identify(card)
        uid = card.uid
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.subject, claim.uid) == ("pkoc", phone.public_key, uid)
    assert claim.assurance is Assurance.AUTHENTICATED
    assert claim.fingerprint == "pkoc:" + hashlib.sha256(phone.public_key).hexdigest()[:16]
    assert claim.proof is not None
    assert claim.proof.nonce == nonces.given[0]
    assert claim.proof.binding == b"head of the trail"
    assert is_signed(claim.proof.nonce, claim.proof.public_key, claim.proof.signature)
    assert not is_signed(bytes(16), claim.proof.public_key, claim.proof.signature)


def test_the_fingerprint_is_the_same_at_every_tap_and_the_uid_is_not() -> None:
    phone = PkocPhone.generate()
    claims = []
    for _tap in range(2):
        with presented(phone) as card:
            claims.append(scheme().identify(card))
    first, second = claims
    assert isinstance(first, Claim)
    assert isinstance(second, Claim)
    assert first.fingerprint == second.fingerprint == fingerprint(phone.public_key)
    assert first.uid != second.uid


def test_a_phone_that_refuses_le_gets_another_nonce_without_it() -> None:
    nonces = RecordedNonces()
    with presented(PkocPhone.generate(Fault.REFUSES_LE)) as card:
        claim = PkocScheme(nonces, ManualClock()).identify(card)
    assert isinstance(claim, Claim)
    assert claim.proof is not None
    assert len(nonces.given) == 2
    assert claim.proof.nonce == nonces.given[1] != nonces.given[0]


@pytest.mark.parametrize("status_word", [0x6700, 0x6720, 0x6F00])
def test_the_nonce_of_the_refused_command_no_longer_counts(status_word: int) -> None:
    nonces = RecordedNonces()
    signed_first = answer(ec.generate_private_key(ec.SECP256R1()), (1).to_bytes(16, "big"))
    card = ScriptedCard([SELECTED, Response(b"", status_word), Response(signed_first, 0x9000)])
    assert reason(PkocScheme(nonces, ManualClock()).identify(card)) is RefusalReason.PROOF_FAILED


@pytest.mark.parametrize("fault", [Fault.WRONG_KEY, Fault.STALE_NONCE])
def test_a_proof_that_fails_is_refused(fault: Fault) -> None:
    with presented(PkocPhone.generate(fault)) as card:
        assert reason(scheme().identify(card)) is RefusalReason.PROOF_FAILED


def test_a_recorded_answer_cannot_be_played_again() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    nonces = RecordedNonces()
    recorded = Response(answer(key, (1).to_bytes(16, "big")), 0x9000)
    pkoc = PkocScheme(nonces, ManualClock())
    assert isinstance(pkoc.identify(ScriptedCard([SELECTED, recorded])), Claim)
    assert reason(pkoc.identify(ScriptedCard([SELECTED, recorded]))) is RefusalReason.PROOF_FAILED


def test_a_signature_that_comes_too_late_does_not_count() -> None:
    clock = ManualClock()
    phone = PkocPhone(ec.generate_private_key(ec.SECP256R1()), Fault.SLOW, sleep=clock.advance)
    with presented(phone) as card, pytest.raises(TimeSpent):
        PkocScheme(RecordedNonces(), clock).identify(card)


@pytest.mark.parametrize("status_word", [0x6985, 0x6982, 0x6A80, 0x6D00])
def test_an_applet_that_will_not_sign_is_refused(status_word: int) -> None:
    card = ScriptedCard([SELECTED, Response(b"", status_word)])
    assert reason(scheme().identify(card)) is RefusalReason.PROOF_FAILED


@pytest.mark.parametrize("taps", range(20))
def test_an_answer_whose_lengths_lie_is_refused(taps: int) -> None:
    with presented(PkocPhone.generate(Fault.RANDOM_LENGTHS)) as card:
        assert isinstance(scheme().identify(card), Refusal)


def test_a_card_without_the_applet_is_left_to_other_schemes() -> None:
    with presented(UidCard(FIXED_UID, takes_apdus=True)) as card:
        assert scheme().identify(card) is None


def test_a_card_that_says_yes_to_everything_is_left_to_other_schemes() -> None:
    assert scheme().identify(ScriptedCard([Response(b"", 0x9000)])) is None
    assert scheme().identify(ScriptedCard([Response(bytes.fromhex("8401AA"), 0x9000)])) is None


def test_without_issuers_nothing_but_the_profile_s_own_commands_is_sent() -> None:
    card = ScriptedCard([SELECTED, Response(b"", 0x6985)])
    scheme().identify(card)
    assert [command.ins for command in card.sent] == [0xA4, 0x80]


def test_only_version_1_is_taken() -> None:
    assert isinstance(scheme().identify(ScriptedCard([Response(bytes.fromhex("5C020200"), 0x9000)])), Refusal)
    both = ScriptedCard([Response(bytes.fromhex("5C0402000100"), 0x9000), Response(b"", 0x6985)])
    assert reason(scheme().identify(both)) is RefusalReason.PROOF_FAILED


def test_a_storage_card_is_not_even_asked() -> None:
    with presented(UidCard(FIXED_UID)) as card:
        assert not scheme().may_apply(card)


def test_a_point_off_the_curve_is_no_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    good = answer(key, (1).to_bytes(16, "big"))
    off_curve = good[:66] + bytes((good[66] ^ 1,)) + good[67:]
    assert (
        reason(scheme().identify(ScriptedCard([SELECTED, Response(off_curve, 0x9000)]))) is RefusalReason.PROOF_FAILED
    )


@pytest.mark.parametrize("change", ["doubled_key", "no_signature", "compressed", "trailing"])
def test_an_answer_of_another_shape_is_refused(change: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    good = answer(key, (1).to_bytes(16, "big"))
    data = {
        "doubled_key": good[:67] + good,
        "no_signature": good[:67],
        "compressed": b"\x5a\x21\x02" + good[3:35] + good[67:],
        "trailing": good + b"\x5c",
    }[change]
    assert reason(scheme().identify(ScriptedCard([SELECTED, Response(data, 0x9000)]))) is RefusalReason.MISBEHAVED


@pytest.mark.parametrize("r", [0, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 2**256 - 1])
def test_signatures_of_zeros_and_ones_prove_nothing(r: int, s: int) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = answer(key, bytes(16))[2:67]
    assert not is_signed(bytes(16), public, r.to_bytes(32, "big") + s.to_bytes(32, "big"))


status_words = st.sampled_from([0x9000, 0x6700, 0x6F00, 0x6A82, 0x6985]) | st.integers(0, 0xFFFF)
values = st.binary(max_size=80) | st.binary(min_size=65, max_size=65) | st.binary(min_size=64, max_size=64)
objects = st.builds(
    lambda tag, value: bytes((tag, len(value))) + value,
    st.sampled_from([0x5A, 0x9E, 0x5C, 0x7F]),
    values | st.just(PHONE.public_key),
)
answers = st.builds(Response, st.binary(max_size=300) | st.lists(objects, max_size=3).map(b"".join), status_words)


@given(script=st.lists(answers | st.just(SELECTED), min_size=3, max_size=4))
def test_no_random_answer_makes_a_claim_or_an_error(script: list[Response]) -> None:
    assert not isinstance(scheme().identify(ScriptedCard(script)), Claim)


@given(signature=st.binary(min_size=64, max_size=64), status_word=status_words)
def test_no_random_signature_passes_for_a_real_key(signature: bytes, status_word: int) -> None:
    data = b"\x5a\x41" + PHONE.public_key + b"\x9e\x40" + signature
    response = Response(data, status_word)
    assert not isinstance(scheme().identify(ScriptedCard([SELECTED, response, response])), Claim)


def answer(key: ec.EllipticCurvePrivateKey, nonce: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(nonce, ec.ECDSA(hashes.SHA256())))
    return b"\x5a\x41" + PkocPhone(key).public_key + b"\x9e\x40" + r.to_bytes(32, "big") + s.to_bytes(32, "big")


def reason(outcome: Claim | Refusal | None) -> RefusalReason:
    assert isinstance(outcome, Refusal)
    return outcome.reason
