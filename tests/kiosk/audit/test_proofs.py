"""Proofs are checked again from the trail alone: signature, key, nonce, and what the nonce was made from."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kiosk.audit import Entry, Phase, RecordedProof, verify
from tests.kiosk.audit.samples import ACTOR, event, trail_in

KEY = ec.generate_private_key(ec.SECP256R1())


def signed(binding: bytes) -> RecordedProof:
    """What a phone gives: a signature over the nonce that was made from the binding."""
    nonce = hashlib.sha256(binding).digest()[:16]
    r, s = decode_dss_signature(KEY.sign(nonce, ec.ECDSA(hashes.SHA256())))
    point = KEY.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return RecordedProof("ecdsa-p256-sha256", nonce, r.to_bytes(32, "big") + s.to_bytes(32, "big"), point, binding)


def recorded(directory: Path, proof: RecordedProof) -> Path:
    with trail_in(directory) as trail:
        trail.append(event(1))
        trail.append(Entry("tap", "t", Phase.INTENT, ACTOR, "Tap (pkoc)", proof=proof))
        trail.append(event(2))
    return trail.path


def flipped(value: bytes, place: int = -1) -> bytes:
    changed = bytearray(value)
    changed[place] ^= 1
    return bytes(changed)


GOOD = signed(os.urandom(64))


def test_a_proof_that_holds_is_counted(tmp_path: Path) -> None:
    found = verify(recorded(tmp_path, GOOD))
    assert (found.whole, found.records, found.proofs, found.unknown_proofs) == (True, 3, 1, 0)
    assert "1 proofs hold" in found.sentence


def test_a_proof_comes_back_from_the_trail_as_it_was(tmp_path: Path) -> None:
    recorded(tmp_path, GOOD)
    with trail_in(tmp_path) as trail:
        (record,) = trail.read(2, 2)
    assert record.entry.proof == GOOD


BAD = {
    "signature": replace(GOOD, signature=flipped(GOOD.signature)),
    "short signature": replace(GOOD, signature=GOOD.signature[:-1]),
    "zero signature": replace(GOOD, signature=bytes(64)),
    "nonce": replace(GOOD, nonce=flipped(GOOD.nonce), binding=b""),
    "binding": replace(GOOD, binding=flipped(GOOD.binding)),
    "another nonce of the same binding": replace(GOOD, nonce=hashlib.sha256(GOOD.binding).digest()),
    "key": replace(GOOD, public_key=flipped(GOOD.public_key)),
    "key of another form": replace(GOOD, public_key=b"\x02" + GOOD.public_key[1:33]),
    "no key": replace(GOOD, public_key=b""),
}


@pytest.mark.parametrize("name", BAD)
def test_a_proof_that_does_not_hold_is_a_bad_record_in_a_good_chain(tmp_path: Path, name: str) -> None:
    found = verify(recorded(tmp_path, BAD[name]))
    assert (found.whole, found.first_bad) == (False, 2)
    assert found.sentence == "The proof in record 2 does not hold."


def test_a_nonce_without_binding_is_checked_as_a_signature(tmp_path: Path) -> None:
    found = verify(recorded(tmp_path, replace(GOOD, binding=b"")))
    assert (found.whole, found.proofs) == (True, 1)


def test_a_proof_of_another_kind_is_counted_as_unchecked(tmp_path: Path) -> None:
    found = verify(recorded(tmp_path, replace(GOOD, algorithm="rsa-2048")))
    assert (found.whole, found.proofs, found.unknown_proofs) == (True, 0, 1)


def test_words_that_look_like_a_proof_are_only_words(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(replace(event(), summary='"proof":{"algorithm":"ecdsa-p256-sha256"}'))
    assert verify(trail.path).proofs == 0
    assert verify(trail.path).whole
