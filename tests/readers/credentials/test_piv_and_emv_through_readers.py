"""PIV cards and payment cards through pcscd, nfcpy's UDP device and the simulated reader, and public PIV software."""

import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from readers.credentials.claim import Claim, Refusal, RefusalReason
from readers.credentials.emv import OWNER_VERIFIED, EmvScheme
from readers.credentials.emv_keys import StoredIdentifierKey
from readers.credentials.iso14443 import UidScheme
from readers.credentials.keys import RandomNonceSource
from readers.credentials.ladder import Ladder
from readers.credentials.piv import PivScheme, subject_of
from readers.reader import CardPresented
from readers.virtual import emv_card, piv_card
from readers.virtual.card import VirtualCard
from readers.virtual.emv_card import EmvCard, Profile
from tests.pcscd import PcscWithVpcd
from tests.readers.cards import ManualClock
from tests.readers.credentials.piv_cards import CARD_UUID, KEYS, RSA2048, PivSite
from tests.readers.credentials.test_emv import NUMBER, REFERENCE, Keys
from tests.readers.credentials.test_ladder_through_readers import SEEN_WITHIN, place

Identify = Callable[[VirtualCard], Claim | Refusal]
OpenSc = Callable[..., bytes]
SECONDS = 60.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> PivSite:
    return PivSite(tmp_path_factory.mktemp("site"))


@pytest.fixture(params=["pcscd", "nfcpy", "simulated"])
def identify(request: pytest.FixtureRequest, site: PivSite) -> Iterator[Identify]:
    """Taps one card and returns what a ladder with all of it makes of it."""
    still = ManualClock()  # how long a card may take is tested elsewhere
    piv = PivScheme(site.site, RandomNonceSource(), still)
    ladder = Ladder([piv, EmvScheme(StoredIdentifierKey(Keys())), UidScheme()], still)
    with place(request.param, request) as (reader, insert):
        reader.open()

        def tap(card: VirtualCard) -> Claim | Refusal:
            insert(card)
            end = time.monotonic() + SEEN_WITHIN
            while time.monotonic() < end:
                for event in reader.wait(1.0):
                    if isinstance(event, CardPresented):
                        with reader.connect(event) as connected:
                            return ladder.identify(connected)
            pytest.fail("the card was not seen")

        yield tap
        reader.close()


@pytest.mark.parametrize("kind", KEYS)
def test_a_piv_card_is_authenticated(identify: Identify, site: PivSite, kind: str) -> None:
    card = site.card(KEYS[kind])
    claim = identify(card)
    assert isinstance(claim, Claim)
    assert claim.subject == subject_of(site.authority.issue(KEYS[kind].public_key(), card_uuid=CARD_UUID))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (piv_card.Fault.WRONG_KEY, RefusalReason.PROOF_FAILED),
        (piv_card.Fault.DROPPED, RefusalReason.CARD_GONE),
        (piv_card.Fault.ENDLESS_61XX, RefusalReason.MISBEHAVED),
    ],
)
def test_a_piv_card_with_a_fault_is_refused(
    identify: Identify, site: PivSite, fault: piv_card.Fault, expected: RefusalReason
) -> None:
    refusal = identify(site.card(fault=fault))
    assert isinstance(refusal, Refusal)
    assert (refusal.scheme, refusal.reason) == ("piv", expected)


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("reference", ["", REFERENCE])
def test_a_payment_card_is_an_identifier_and_its_number_is_in_no_log(
    identify: Identify, profile: Profile, reference: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    claim = identify(EmvCard(NUMBER, profile, reference))
    assert isinstance(claim, Claim)
    assert claim.kind == "emv"
    assert (OWNER_VERIFIED in claim.notes) is (profile is Profile.WALLET)
    assert NUMBER not in caplog.text


def test_a_payment_card_that_leaves_is_refused(identify: Identify) -> None:
    refusal = identify(EmvCard(NUMBER, fault=emv_card.Fault.DROPPED))
    assert isinstance(refusal, Refusal)
    assert (refusal.scheme, refusal.reason) == ("emv", RefusalReason.CARD_GONE)


@pytest.fixture
def opensc(pcsc_with_vpcd: PcscWithVpcd, site: PivSite, tmp_path: Path) -> OpenSc:
    """Runs one of OpenSC's commands on the card that lies in the first slot: an RSA one."""
    configuration = tmp_path / "opensc.conf"
    configuration.write_text("app default { card_drivers = PIV-II; framework pkcs15 { use_file_caching = no; } }")
    environment = {**os.environ, "OPENSC_CONF": str(configuration), "HOME": str(tmp_path)}
    pcsc_with_vpcd.insert(site.card(RSA2048))

    def run(*command: str) -> bytes:
        line, end = [command[0], "--reader", "0", *command[1:]], time.monotonic() + SECONDS
        while True:
            done = subprocess.run(
                line, capture_output=True, timeout=SECONDS, env=environment, cwd=tmp_path, check=False
            )
            if done.returncode == 0:
                return done.stdout
            assert b"Card not present" in done.stderr, done.stderr.decode()
            assert time.monotonic() < end, "pcscd did not see the card"
            time.sleep(0.1)

    return run


def test_opensc_takes_the_virtual_card_for_a_piv_card(opensc: OpenSc, tmp_path: Path) -> None:
    assert b"Personal Identity Verification Card" in opensc("piv-tool", "--name")
    certificate = x509.load_pem_x509_certificate(opensc("pkcs15-tool", "--read-certificate", "04"))
    assert certificate.public_key() == RSA2048.public_key()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"message")
    (tmp_path / "digest").write_bytes(digest.finalize())
    opensc("pkcs15-crypt", "--sign", "--key", "04", "--sha-256", "--pkcs1", "--raw", "-i", "digest", "-o", "signature")
    signature = (tmp_path / "signature").read_bytes()
    RSA2048.public_key().verify(signature, b"message", padding.PKCS1v15(), hashes.SHA256())
