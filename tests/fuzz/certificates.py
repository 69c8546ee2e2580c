"""A target for what cards and files say in X.509: certificates as PIV cards give them, and lists of revoked ones."""

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from readers.credentials.card_keys import card_key
from readers.credentials.certificates import UNREADABLE, CertificateFault, SiteAuthority
from readers.credentials.piv import certificate_in, subject_of
from readers.credentials.revocation import Revocation, RevocationFile
from readers.errors import ReaderError, TlvError
from readers.tlv import build
from readers.uid import Uid
from readers.virtual.piv_authority import PivAuthority
from readers.virtual.piv_card import Fault, PivCard
from tests.fuzz.target import Target, require

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
GET_CERTIFICATE = bytes.fromhex("00CB3FFF055C035FC10100")
SELECT = bytes.fromhex("00A4040009A0000003080000100000")


class Certificates:
    """One authority and its files; checks each input as a data object of a card, as a certificate and as a list."""

    def __init__(self) -> None:
        self._authority = PivAuthority()
        self._directory = tempfile.TemporaryDirectory(prefix="fuzz-certificates-")
        folder = Path(self._directory.name)
        self._file, self._revoked = folder / "cards.pem", folder / "revoked.crl"
        self._file.write_bytes(self._authority.pem)
        self._site = SiteAuthority(self._file, lambda: NOW)
        self._site.open()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._card = self._authority.issue(self._key.public_key())

    def check(self, data: bytes) -> None:
        """A card's certificate is read and judged, a list is read and asked, or both are refused by name."""
        for wrapped in (data, build(0x53, build(0x70, data) + build(0x71, b"\x00"))):
            try:
                certificate = certificate_in(wrapped)
            except TlvError:
                continue
            if certificate is not None:
                self._judge(certificate)
        self._revoked.write_bytes(data)
        revoked = RevocationFile(self._revoked)
        try:
            revoked.open()
        except ReaderError:
            return
        said = revoked.look_up(self._card, self._authority.certificate, NOW)
        require(isinstance(said, Revocation), "A list that says nothing")

    def _judge(self, certificate: x509.Certificate) -> None:
        fault = self._site.judge(certificate)
        require(fault is None or isinstance(fault, CertificateFault), "No judgement")
        if fault is None:
            require(certificate.tbs_certificate_bytes == self._card.tbs_certificate_bytes, "Another one passed")
        try:
            card_key(certificate.public_key())
            require(len(subject_of(certificate)) == 32, "A subject of another size")
        except UNREADABLE:
            return

    def seeds(self) -> Iterable[bytes]:
        """What an honest card and an honest authority say."""
        for fault in (Fault.NONE, Fault.COMPRESSED):
            card = PivCard(self._key, self._card, Uid.from_hex("04A1B2C3D4E580"), fault)
            card.exchange(SELECT)
            answer = card.exchange(GET_CERTIFICATE)
            while answer[-2] == 0x61:
                answer = answer[:-2] + card.exchange(bytes.fromhex("00C0000000"))
            yield answer[:-2]
        yield self._card.public_bytes(Encoding.DER)
        listed = self._authority.revocation_list([self._card])
        yield listed
        encoded = x509.load_pem_x509_crl(listed).public_bytes(Encoding.DER)
        yield encoded
        yield encoded.replace(b"\x02\x01\x01", b"\x02\x01\x05", 1)


def certificates() -> Target:
    """The target; made where it is used, for it has keys and a directory of its own."""
    made = Certificates()
    return Target("certificates", made.check, made.seeds)
