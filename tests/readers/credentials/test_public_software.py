"""Public software as the judge of the virtual cards: what it takes for a card, ours may learn from.

OpenSC's commands, Yubico's library and python-desfire find the cards in the real pcscd, where one of vpcd's slots holds
them. None of them knows anything of ours.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from desfire import DESFire, DESFireKey, diversify_key  # type: ignore[import-untyped]  # it says nothing of its types
from desfire.devices.base import Device  # type: ignore[import-untyped]  # as above
from desfire.enums import DESFireKeyType  # type: ignore[import-untyped]  # as above
from desfire.exceptions import DESFireCommunicationError  # type: ignore[import-untyped]  # as above
from desfire.schemas import KeySettings  # type: ignore[import-untyped]  # as above
from smartcard.CardConnection import CardConnection
from smartcard.Exceptions import NoCardException
from smartcard.System import readers
from ykman.pcsc import ScardSmartCardConnection
from yubikit.core.smartcard import ApduError
from yubikit.piv import KEY_TYPE, OBJECT_ID, SLOT, Chuid, PivSession

from readers.virtual.card import VirtualCard
from readers.virtual.desfire_card import issue
from readers.virtual.piv_card import CardPrivateKey
from tests.pcscd import READERS, PcscWithVpcd
from tests.readers.credentials.aes_cards import APPLICATION, IDENTITY, SITE_KEYS, UID
from tests.readers.credentials.piv_cards import CARD_UUID, KEYS, P256, P384, RSA2048, PivSite

SECONDS = 60.0
MESSAGE = b"who is there?"
FILE = APPLICATION.file_number

Lay = Callable[[VirtualCard], CardConnection]
Tool = Callable[..., bytes]


@pytest.fixture
def lay(pcsc_with_vpcd: PcscWithVpcd) -> Iterator[Lay]:
    """Lays a card on the first slot and connects to it as any program would."""
    connections: list[CardConnection] = []

    def connect(card: VirtualCard) -> CardConnection:
        pcsc_with_vpcd.insert(card)
        end = time.monotonic() + SECONDS
        while True:
            (reader,) = (each for each in readers() if each.name == READERS[0])
            connection = reader.createConnection()
            try:
                connection.connect(CardConnection.T1_protocol | CardConnection.T0_protocol)
            except NoCardException:
                connection.release()
                assert time.monotonic() < end, "pcscd did not see the card"
                time.sleep(0.05)
                continue
            connections.append(connection)
            return connection

    yield connect
    for connection in connections:
        connection.disconnect()
        connection.release()


@pytest.fixture
def opensc(pcsc_with_vpcd: PcscWithVpcd, tmp_path: Path) -> Callable[[VirtualCard], Tool]:
    """Lays a card there; what it gives runs one of OpenSC's commands on it."""
    configuration = tmp_path / "opensc.conf"
    configuration.write_text("app default { card_drivers = PIV-II; framework pkcs15 { use_file_caching = no; } }")
    environment = {**os.environ, "OPENSC_CONF": str(configuration), "HOME": str(tmp_path)}

    def laid(card: VirtualCard) -> Tool:
        pcsc_with_vpcd.insert(card)

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

    return laid


def piv(connection: CardConnection) -> PivSession:
    return PivSession(ScardSmartCardConnection(connection))  # type: ignore[no-untyped-call]  # it has no annotations


def verify(certificate: x509.Certificate, signature: bytes, algorithm: hashes.HashAlgorithm) -> None:
    """Raises InvalidSignature."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, MESSAGE, padding.PKCS1v15(), algorithm)
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(signature, MESSAGE, ec.ECDSA(algorithm))


def digest(algorithm: hashes.HashAlgorithm) -> bytes:
    made = hashes.Hash(algorithm)
    made.update(MESSAGE)
    return made.finalize()


@pytest.mark.parametrize(
    ("key", "kind", "algorithm"),
    [
        (P256, KEY_TYPE.ECCP256, hashes.SHA256()),
        (P384, KEY_TYPE.ECCP384, hashes.SHA384()),
        (RSA2048, KEY_TYPE.RSA2048, hashes.SHA256()),
    ],
    ids=list(KEYS),
)
def test_yubicos_library_reads_the_certificate_and_has_it_sign(
    lay: Lay, tmp_path: Path, key: CardPrivateKey, kind: KEY_TYPE, algorithm: hashes.HashAlgorithm
) -> None:
    session = piv(lay(PivSite(tmp_path).card(key)))
    certificate = session.get_certificate(SLOT.CARD_AUTH)
    assert certificate.public_key() == key.public_key()
    signature = session.sign(SLOT.CARD_AUTH, kind, MESSAGE, algorithm, padding.PKCS1v15())
    verify(certificate, signature, algorithm)


def test_yubicos_library_reads_the_card_holders_identifier(lay: Lay, tmp_path: Path) -> None:
    session = piv(lay(PivSite(tmp_path).card()))
    holder = Chuid.from_bytes(session.get_object(OBJECT_ID.CHUID))
    assert holder.expiration_date.year == 2044
    assert holder.fasc_n.agency_code == 9999


def test_yubicos_library_gets_no_signature_with_a_key_that_wants_a_pin(lay: Lay, tmp_path: Path) -> None:
    session = piv(lay(PivSite(tmp_path).card()))
    with pytest.raises(ApduError) as refused:
        session.sign(SLOT.SIGNATURE, KEY_TYPE.ECCP256, MESSAGE, hashes.SHA256())
    assert refused.value.sw == 0x6982


@pytest.mark.parametrize("kind", KEYS)
def test_opensc_names_the_card_and_reads_its_certificate(
    opensc: Callable[[VirtualCard], Tool], tmp_path: Path, kind: str
) -> None:
    run = opensc(PivSite(tmp_path).card(KEYS[kind]))
    assert b"Personal Identity Verification Card" in run("piv-tool", "--name")
    assert b"Personal Identity Verification Card" in run("opensc-tool", "--name")
    assert b"3b:88:80:01:80:73:c0:21" in run("opensc-tool", "--atr")
    certificate = x509.load_pem_x509_certificate(run("pkcs15-tool", "--read-certificate", "04"))
    assert certificate.public_key() == KEYS[kind].public_key()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [CARD_UUID.urn]


@pytest.mark.parametrize("kind", ["P-256", "P-384"])
def test_opensc_has_the_card_sign(opensc: Callable[[VirtualCard], Tool], tmp_path: Path, kind: str) -> None:
    algorithm = hashes.SHA256() if kind == "P-256" else hashes.SHA384()
    site = PivSite(tmp_path)
    run = opensc(site.card(KEYS[kind]))
    (tmp_path / "digest").write_bytes(digest(algorithm))
    run("pkcs15-crypt", "--sign", "--key", "04", "--raw", "-i", "digest", "-o", "signature")
    raw = (tmp_path / "signature").read_bytes()
    r, s = (int.from_bytes(half, "big") for half in (raw[: len(raw) // 2], raw[len(raw) // 2 :]))
    verify(site.authority.issue(KEYS[kind].public_key()), encode_dss_signature(r, s), algorithm)


class Wrapped(Device):  # type: ignore[misc]  # it has no annotations
    """python-desfire's native commands in their ISO wrapping, for a card in pcscd."""

    def __init__(self, connection: CardConnection) -> None:
        self._connection = connection

    def transceive(self, bytes: list[int]) -> list[int]:
        data = [len(bytes) - 1, *bytes[1:]] if len(bytes) > 1 else []
        answer, first, status = self._connection.transmit([0x90, bytes[0], 0x00, 0x00, *data, 0x00])
        assert first == 0x91
        return [status, *answer]


def aes(key: bytes) -> DESFireKey:
    return DESFireKey(KeySettings(key_type=DESFireKeyType.DF_KEY_AES), key)


def own_key() -> DESFireKey:
    """The card's own key as the judge derives it (AN10922): the constant of AES-128 is its caller's to put in front."""
    diversification = b"\x01" + APPLICATION.diversification(UID)
    return aes(bytes(diversify_key(list(SITE_KEYS[APPLICATION.read_key]), list(diversification))))


@pytest.mark.parametrize("knows_ev2", [True, False])
def test_python_desfire_authenticates_and_reads_the_identity_file(lay: Lay, knows_ev2: bool) -> None:
    judge = DESFire(Wrapped(lay(issue(APPLICATION, UID, IDENTITY, SITE_KEYS, knows_ev2=knows_ev2))))
    judge.select_application(list(APPLICATION.identifier[::-1]))
    judge.authenticate(APPLICATION.read_key_number, own_key())
    assert judge.is_authenticated
    assert judge.get_file_ids() == [FILE]
    settings = judge.get_file_settings(FILE)
    assert settings.file_size == len(IDENTITY)
    assert bytes(judge.read_file_data(FILE, settings)) == IDENTITY


def test_python_desfire_is_told_the_uid_behind_a_random_one(lay: Lay) -> None:
    judge = DESFire(Wrapped(lay(issue(APPLICATION, UID, IDENTITY, SITE_KEYS, random_uid=True))))
    judge.select_application(list(APPLICATION.identifier[::-1]))
    judge.authenticate(APPLICATION.uid_key_number or 0, aes(SITE_KEYS[APPLICATION.uid_key]))
    assert bytes(judge.get_real_uid()) == UID.value


def test_python_desfire_is_refused_with_another_key(lay: Lay) -> None:
    judge = DESFire(Wrapped(lay(issue(APPLICATION, UID, IDENTITY, SITE_KEYS))))
    judge.select_application(list(APPLICATION.identifier[::-1]))
    with pytest.raises(DESFireCommunicationError):
        judge.authenticate(APPLICATION.read_key_number, aes(SITE_KEYS[APPLICATION.uid_key]))
    assert not judge.is_authenticated
