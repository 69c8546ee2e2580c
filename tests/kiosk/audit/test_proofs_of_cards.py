"""What every kind of card signs at a tap is checked again from the trail, and no changed bit of it passes."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.audit import RecordedProof, verify
from kiosk.audit.proofs import CHECKS, ProofState, check
from readers.credentials.claim import Claim, CredentialScheme, Nonce
from readers.credentials.cvc_issuers import CvcIssuers
from readers.credentials.ladder import Ladder
from readers.credentials.pkoc import PkocScheme
from readers.virtual.card import VirtualCard
from readers.virtual.pkoc_card import PkocCard
from readers.virtual.pkoc_issuer import PkocIssuer
from readers.virtual.pkoc_phone import PkocPhone
from tests.kiosk.audit.test_proofs import flipped, recorded
from tests.readers.cards import ManualClock, presented
from tests.readers.credentials.piv_cards import KEYS, NOW, P256, PivSite

PLACES = (0, 1, 7, -1)


class BoundNonces:
    """As the trail's own: made from a binding."""

    def __init__(self) -> None:
        self._given = 0

    def fresh(self) -> Nonce:
        self._given += 1
        binding = b"head of the trail" + bytes((self._given,))
        return Nonce(hashlib.sha256(binding).digest()[:16], binding)


def proof_of(scheme: CredentialScheme, card: VirtualCard) -> RecordedProof:
    with presented(card) as laid:
        claim = Ladder([scheme], ManualClock()).identify(laid)
    assert isinstance(claim, Claim)
    assert claim.proof is not None
    proof = claim.proof
    return RecordedProof(proof.algorithm, proof.nonce, proof.signature, proof.public_key, proof.binding)


def piv(name: str) -> Callable[[Path], RecordedProof]:
    def make(folder: Path) -> RecordedProof:
        site = PivSite(folder)
        return proof_of(site.scheme(BoundNonces()), site.card(KEYS[name]))

    return make


def pkoc(_: Path) -> RecordedProof:
    return proof_of(PkocScheme(BoundNonces(), ManualClock()), PkocPhone.generate())


def certified(folder: Path) -> RecordedProof:
    issuer = PkocIssuer()
    issuer.write(folder)
    issuers = CvcIssuers(folder, lambda: NOW)
    issuers.open()
    phone = PkocPhone(P256)
    card = PkocCard(P256, issuer.issue(phone.public_key))
    return proof_of(PkocScheme(BoundNonces(), ManualClock(), issuers=issuers), card)


KINDS = {
    "ecdsa-p256-sha256": pkoc,
    "ecdsa-p256-sha256 of a PIV card": piv("P-256"),
    "ecdsa-p384-sha384": piv("P-384"),
    "rsa2048-pkcs1v15-sha256": piv("RSA-2048"),
    "pkoc-v2-ecdsa-p256-sha256": certified,
}


@pytest.fixture(params=KINDS)
def proof(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RecordedProof:
    made = KINDS[request.param](tmp_path_factory.mktemp("issuer"))
    assert request.param.startswith(made.algorithm)
    return made


def test_every_kind_of_proof_that_cards_make_is_checked() -> None:
    assert {name.split(" ")[0] for name in KINDS} == set(CHECKS)


def test_a_tap_is_checked_again_from_the_trail(tmp_path: Path, proof: RecordedProof) -> None:
    found = verify(recorded(tmp_path, proof))
    assert (found.whole, found.proofs, found.unknown_proofs) == (True, 1, 0)


def test_no_changed_bit_passes(proof: RecordedProof) -> None:
    unbound = replace(proof, binding=b"")
    assert check(proof) is check(unbound) is ProofState.HOLDS
    for place in PLACES:
        changed = [
            replace(proof, signature=flipped(proof.signature, place)),
            replace(proof, public_key=flipped(proof.public_key, place)),
            replace(unbound, nonce=flipped(proof.nonce, place)),
            replace(proof, binding=flipped(proof.binding, place)),
        ]
        assert [check(one) for one in changed] == [ProofState.FAILS] * len(changed)


def test_no_other_length_passes(proof: RecordedProof) -> None:
    for change in (lambda value: value[:-1], lambda value: value + b"\x00", lambda _: b""):
        for name in ("nonce", "signature", "public_key"):
            changed = replace(proof, binding=b"", **{name: change(getattr(proof, name))})
            assert check(changed) is ProofState.FAILS, name


def test_no_proof_passes_as_one_of_another_kind(proof: RecordedProof) -> None:
    for algorithm in CHECKS.keys() - {proof.algorithm}:
        assert check(replace(proof, algorithm=algorithm)) is ProofState.FAILS
    assert check(replace(proof, algorithm="ecdsa-p256-sha1")) is ProofState.UNKNOWN_ALGORITHM


def test_a_changed_proof_is_a_bad_record_in_a_good_chain(tmp_path: Path, proof: RecordedProof) -> None:
    found = verify(recorded(tmp_path, replace(proof, signature=flipped(proof.signature))))
    assert (found.whole, found.first_bad) == (False, 2)
    assert found.sentence == "The proof in record 2 does not hold."
