import gzip
import hashlib
import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readers.apdu import Response
from readers.credentials.card_keys import RsaKey, card_key, is_signed
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import DEFAULT_LIMITS, Ladder
from readers.credentials.limits import LimitedCard
from readers.credentials.piv import (
    GET_CERTIFICATE,
    LARGEST_CERTIFICATE,
    PivScheme,
    authenticate,
    certificate_in,
    subject_of,
)
from readers.errors import TlvError
from readers.tlv import build
from readers.virtual.card import VirtualCard
from readers.virtual.piv_authority import SERVER, PivAuthority
from readers.virtual.piv_card import CardPrivateKey, Fault, PivCard
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, ManualClock, RecordedNonces, ScriptedCard, presented
from tests.readers.credentials.piv_cards import CARD_UUID, KEYS, NOW, P256, RSA2048, PivSite

SELECTED = Response(bytes.fromhex("61114F0600001000010079074F05A000000308"), 0x9000)
FASC_N = bytes.fromhex("D4321CDA739CED39CE739D836858210842108421C84210C3EB")
NAMELESS_FASC_N = bytes.fromhex("D4E739DA739CED39CE739D836858210842108421C84210C3EB")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> PivSite:
    return PivSite(tmp_path_factory.mktemp("site"))


def identify(scheme: PivScheme, card: VirtualCard, clock: ManualClock | None = None) -> Claim | Refusal | None:
    with presented(card) as connected:
        return scheme.identify(LimitedCard(connected, DEFAULT_LIMITS, clock or ManualClock()))


def reason(outcome: Claim | Refusal | None) -> RefusalReason:
    assert isinstance(outcome, Refusal)
    assert outcome.scheme == "piv"
    return outcome.reason


def spki(key: CardPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_the_commands_are_those_of_the_specification() -> None:
    assert bytes(GET_CERTIFICATE).hex().upper() == "00CB3FFF055C035FC10100"
    (short,) = authenticate(0x11, bytes(range(32)))
    assert bytes(short).hex() == "0087119e267c2482008120" + bytes(range(32)).hex() + "00"
    first, last = authenticate(0x07, bytes(256))
    assert bytes(first)[:17].hex() == "1087079eff7c82010682008182010000" + "00"
    assert len(bytes(first)) == 5 + 255
    assert bytes(last).hex() == "0087079e0b" + "00" * 11 + "00"


def test_the_block_for_rsa_is_what_the_private_key_undoes_a_signature_to() -> None:
    nonce = bytes(range(16))
    numbers = RSA2048.public_key().public_numbers()
    signature = RSA2048.sign(nonce, padding.PKCS1v15(), hashes.SHA256())
    block = pow(int.from_bytes(signature, "big"), numbers.e, numbers.n).to_bytes(256, "big")
    assert RsaKey(RSA2048.public_key()).challenge(nonce) == block


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("fault", [Fault.NONE, Fault.COMPRESSED])
def test_a_card_of_the_site_is_authenticated_and_the_proof_can_be_checked_again(
    site: PivSite, kind: str, fault: Fault
) -> None:
    nonces = RecordedNonces()
    claim = identify(site.scheme(nonces), site.card(KEYS[kind], fault))
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.uid, claim.assurance) == ("piv", FIXED_UID, Assurance.AUTHENTICATED)
    assert claim.subject == hashlib.sha256(CARD_UUID.bytes).digest()
    assert claim.fingerprint == "piv:" + claim.subject.hex()[:16]
    proof = claim.proof
    assert proof is not None
    assert (proof.nonce, proof.binding) == (nonces.given[0], b"head of the trail")
    assert proof.algorithm in ("ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa2048-pkcs1v15-sha256")
    assert is_signed(proof.algorithm, proof.nonce, proof.public_key, proof.signature)
    assert not is_signed(proof.algorithm, bytes(16), proof.public_key, proof.signature)
    changed = proof.signature[:-1] + bytes((proof.signature[-1] ^ 1,))
    assert not is_signed(proof.algorithm, proof.nonce, proof.public_key, changed)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.WRONG_KEY, {RefusalReason.PROOF_FAILED}),
        (Fault.STALE_NONCE, {RefusalReason.PROOF_FAILED}),
        (Fault.RANDOM_LENGTHS, {RefusalReason.MISBEHAVED}),
        (Fault.DROPPED, {RefusalReason.CARD_GONE}),
        (Fault.ENDLESS_61XX, {RefusalReason.MISBEHAVED}),
        (Fault.SLOW, {RefusalReason.TOO_SLOW}),
    ],
)
def test_a_card_with_a_fault_never_falls_back_to_its_uid(
    site: PivSite, kind: str, fault: Fault, expected: set[RefusalReason]
) -> None:
    clock = ManualClock()
    key = KEYS[kind]
    certificate = site.authority.issue(key.public_key(), card_uuid=CARD_UUID)
    card = PivCard(key, certificate, FIXED_UID, fault, sleep=clock.advance)
    ladder = Ladder([UidScheme(), site.scheme(monotonic=clock)], clock)
    for _tap in range(2):
        with presented(card) as connected:
            outcome = ladder.identify(connected)
        assert reason(outcome) in expected


def test_an_rsa_key_with_a_small_exponent_is_unfit_whoever_certified_it(site: PivSite) -> None:
    key = rsa.generate_private_key(3, 2048)
    assert reason(identify(site.scheme(), site.card(key))) is RefusalReason.UNFIT_CERTIFICATE
    public_key = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signature = key.sign(bytes(16), padding.PKCS1v15(), hashes.SHA256())
    assert not is_signed("rsa2048-pkcs1v15-sha256", bytes(16), public_key, signature)


@pytest.mark.parametrize("case", ["expired", "not_yet_valid", "unknown_issuer", "unfit_certificate", "revoked"])
def test_every_fault_of_a_certificate_has_its_own_reason_and_sentence(tmp_path: Path, case: str) -> None:
    site = PivSite(tmp_path, lists=True)
    key = P256.public_key()
    issue = site.authority.issue
    certificate = {
        "expired": lambda: issue(key, not_after=NOW - timedelta(days=1)),
        "not_yet_valid": lambda: issue(key, not_before=NOW + timedelta(days=1)),
        "unknown_issuer": lambda: PivAuthority().issue(key),
        "unfit_certificate": lambda: issue(key, extended_key_usage=SERVER),
        "revoked": lambda: issue(key),
    }[case]()
    if case == "revoked":
        site.revoke(certificate)
    nonces = RecordedNonces()
    refusal = identify(site.scheme(nonces), site.card(certificate=certificate))
    assert reason(refusal) is RefusalReason(case)
    assert not nonces.given
    wrong = identify(site.scheme(), site.card(fault=Fault.WRONG_KEY))
    site.revoked.unlink()
    unknown = identify(site.scheme(), site.card())
    sentences = {each.sentence for each in (refusal, unknown, wrong) if isinstance(each, Refusal)}
    assert reason(unknown) is RefusalReason.REVOCATION_UNKNOWN
    assert len(sentences) == 3


def test_a_copied_certificate_without_its_key_proves_nothing(site: PivSite) -> None:
    certificate = site.authority.issue(P256.public_key(), card_uuid=CARD_UUID)
    copy = PivCard(ec.generate_private_key(ec.SECP256R1()), certificate, FIXED_UID)
    assert reason(identify(site.scheme(), copy)) is RefusalReason.PROOF_FAILED


def test_a_recorded_answer_cannot_be_played_again(site: PivSite) -> None:
    certificate = build(0x53, build(0x70, site.authority.issue(P256.public_key()).public_bytes(Encoding.DER)))
    signature = P256.sign((1).to_bytes(16, "big"), ec.ECDSA(hashes.SHA256()))
    recorded = [SELECTED, Response(certificate, 0x9000), Response(build(0x7C, build(0x82, signature)), 0x9000)]
    scheme = site.scheme()
    assert isinstance(scheme.identify(ScriptedCard(recorded)), Claim)
    assert reason(scheme.identify(ScriptedCard(recorded))) is RefusalReason.PROOF_FAILED


def test_a_renewed_certificate_is_the_same_card_and_a_nameless_one_is_its_key(site: PivSite) -> None:
    issue = site.authority.issue
    named = [issue(key.public_key(), card_uuid=CARD_UUID, fasc_n=FASC_N) for key in KEYS.values()]
    assert {subject_of(each) for each in named} == {hashlib.sha256(CARD_UUID.bytes).digest()}
    assert subject_of(issue(P256.public_key(), fasc_n=FASC_N)) == hashlib.sha256(FASC_N).digest()
    for key in KEYS.values():
        for number in (None, NAMELESS_FASC_N):
            nameless = issue(key.public_key(), fasc_n=number)
            assert subject_of(nameless) == hashlib.sha256(spki(key)).digest()


def test_a_certificate_whose_name_is_nonsense_is_unfit(site: PivSite) -> None:
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:uuid:nonsense")])
    certificate = site.authority.issue(P256.public_key(), extensions=[(names, False)])
    refusal = identify(site.scheme(), site.card(certificate=certificate))
    assert reason(refusal) is RefusalReason.UNFIT_CERTIFICATE


def test_a_key_of_another_size_or_curve_is_unfit(site: PivSite) -> None:
    large, curve = rsa.generate_private_key(65537, 3072), ec.generate_private_key(ec.SECP521R1())
    assert card_key(large.public_key()) is None
    assert card_key(curve.public_key()) is None
    card = PivCard(curve, site.authority.issue(curve.public_key()), FIXED_UID)
    assert reason(identify(site.scheme(), card)) is RefusalReason.UNFIT_CERTIFICATE


@pytest.mark.parametrize("change", ["bomb", "cut", "no gzip", "no certificate", "garbage", "not an object"])
def test_a_data_object_of_another_shape_is_refused(site: PivSite, change: str) -> None:
    encoded = site.authority.issue(P256.public_key()).public_bytes(Encoding.DER)
    zipped = b"\x71\x01\x01"
    data = {
        "bomb": build(0x53, build(0x70, gzip.compress(bytes(LARGEST_CERTIFICATE * 100))) + zipped),
        "cut": build(0x53, build(0x70, gzip.compress(encoded)[:-9]) + zipped),
        "no gzip": build(0x53, build(0x70, encoded) + zipped),
        "no certificate": build(0x53, build(0x70, b"\x30\x03\x02\x01\x00")),
        "garbage": b"\x53\x82",
        "not an object": build(0x54, b""),
    }[change]
    with pytest.raises(TlvError):
        certificate_in(data)
    assert reason(site.scheme().identify(ScriptedCard([SELECTED, Response(data, 0x9000)]))) is RefusalReason.MISBEHAVED


def test_a_card_without_the_application_or_the_certificate_is_left_to_other_schemes(site: PivSite) -> None:
    assert identify(site.scheme(), UidCard(FIXED_UID, takes_apdus=True)) is None
    assert identify(site.scheme(), site.card(fault=Fault.NO_CERTIFICATE)) is None
    assert site.scheme().identify(ScriptedCard([SELECTED, Response(b"\x53\x00", 0x9000)])) is None
    assert site.scheme().identify(ScriptedCard([Response(b"", 0x9000)])) is None
    assert site.scheme().identify(ScriptedCard([Response(bytes.fromhex("8401AA"), 0x9000)])) is None


@pytest.mark.parametrize("status_word", [0x6982, 0x6A80, 0x6A86, 0x6D00, 0x6F00])
@pytest.mark.parametrize("at", [1, 2])
def test_a_card_that_will_not_answer_is_refused(site: PivSite, status_word: int, at: int) -> None:
    certificate = build(0x53, build(0x70, site.authority.issue(P256.public_key()).public_bytes(Encoding.DER)))
    script = [SELECTED, Response(certificate, 0x9000), Response(b"", 0x9000)]
    script[at] = Response(b"", status_word)
    assert reason(site.scheme().identify(ScriptedCard(script))) is RefusalReason.PROOF_FAILED


def test_neither_certificate_nor_signature_shows_in_text_or_traceback(site: PivSite) -> None:
    card = site.card()
    claim = identify(site.scheme(), card)
    assert isinstance(claim, Claim)
    assert claim.proof is not None
    try:
        certificate_in(build(0x53, build(0x70, claim.proof.signature)))
    except TlvError:
        told = traceback.format_exc()
    for text in (repr(claim), str(claim), repr(claim.proof), repr(card), told, repr(site.authority)):
        assert claim.proof.signature.hex() not in text
        assert claim.subject.hex() not in text


words = st.sampled_from([0x9000, 0x6100, 0x6110, 0x6700, 0x6A82, 0x6982]) | st.integers(0, 0xFFFF)
bodies = st.binary(max_size=300) | st.builds(
    lambda tags, inner: build(tags[0], build(tags[1], inner)),
    st.sampled_from([(0x53, 0x70), (0x53, 0x71), (0x7C, 0x82), (0x7C, 0x81), (0x61, 0x4F)]),
    st.binary(max_size=80),
)
answers = st.builds(Response, bodies, words)


@given(script=st.lists(answers | st.just(SELECTED), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_random_answer_makes_a_claim_or_an_error(site: PivSite, script: list[Response]) -> None:
    clock = ManualClock()
    outcome = Ladder([site.scheme()], clock).identify(ScriptedCard([SELECTED, *script]))
    assert isinstance(outcome, Refusal)


@given(signature=st.binary(max_size=260), shape=st.sampled_from([0x82, 0x81]), word=words)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_random_signature_passes_for_a_real_certificate(
    site: PivSite, signature: bytes, shape: int, word: int
) -> None:
    encoded = build(0x53, build(0x70, CERTIFICATE_FOR.setdefault(id(site), _certificate(site))))
    answer = Response(build(0x7C, build(shape, signature)), word)
    script = [SELECTED, Response(encoded, 0x9000), answer, answer]
    assert isinstance(Ladder([site.scheme()], ManualClock()).identify(ScriptedCard(script)), Refusal)


CERTIFICATE_FOR: dict[int, bytes] = {}


def _certificate(site: PivSite) -> bytes:
    return site.authority.issue(P256.public_key()).public_bytes(Encoding.DER)
