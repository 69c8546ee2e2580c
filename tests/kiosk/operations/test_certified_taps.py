"""A tap with a PKOC certificate, from the trail's head to the proof that the trail alone can check again."""

import hashlib
from dataclasses import replace
from pathlib import Path

from kiosk.audit import Entry, Phase, RecordedProof, verify
from kiosk.operations.ledger import TrailNonces
from readers.credentials.claim import Claim
from readers.credentials.ladder import Ladder
from readers.credentials.pkoc import PkocScheme
from tests.kiosk.audit.samples import ACTOR, event, trail_in
from tests.readers.cards import ManualClock, presented
from tests.readers.credentials.pkoc_site import POINT, PkocSite


def tapped(directory: Path) -> tuple[Path, RecordedProof, bytes]:
    """The trail with the tap's proof in it, that proof, and the certificate that was shown."""
    (directory / "issuers").mkdir()
    site = PkocSite(directory / "issuers")
    certificate = site.issuer.issue(POINT)
    with trail_in(directory) as trail:
        trail.append(event(1))
        head = trail.head().hash
        scheme = PkocScheme(TrailNonces(trail), ManualClock(), issuers=site.issuers)
        with presented(site.card(certificate=certificate)) as card:
            claim = Ladder([scheme], ManualClock()).identify(card)
        assert isinstance(claim, Claim)
        assert claim.proof is not None
        assert claim.proof.binding.startswith(head)
        given = claim.proof
        proof = RecordedProof(given.algorithm, given.nonce, given.signature, given.public_key, given.binding)
        trail.append(Entry("tap", "t", Phase.INTENT, ACTOR, "Tap (pkoc-v2)", proof=proof))
    return trail.path, proof, certificate


def test_the_proof_of_a_certified_tap_holds_from_the_trail_alone(tmp_path: Path) -> None:
    path, proof, certificate = tapped(tmp_path)
    found = verify(path)
    assert (found.whole, found.proofs, found.unknown_proofs) == (True, 1, 0)
    assert proof.nonce[16:] == hashlib.sha256(certificate).digest()


def test_a_proof_that_names_another_certificate_does_not_hold(tmp_path: Path) -> None:
    (tmp_path / "tap").mkdir()
    _path, proof, certificate = tapped(tmp_path / "tap")
    other = replace(proof, nonce=proof.nonce[:16] + hashlib.sha256(certificate + b"x").digest())
    with trail_in(tmp_path) as trail:
        trail.append(Entry("tap", "t", Phase.INTENT, ACTOR, "Tap (pkoc-v2)", proof=other))
    found = verify(trail.path)
    assert not found.whole
    assert "proof" in found.sentence
