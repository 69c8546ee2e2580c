"""PIV cards, their authority's files, and the scheme that trusts them, for tests."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from readers.credentials.certificates import SiteAuthority
from readers.credentials.claim import NonceSource
from readers.credentials.piv import PivScheme
from readers.virtual.piv_authority import PivAuthority
from readers.virtual.piv_card import CardPrivateKey, Fault, PivCard
from tests.readers.cards import FIXED_UID, ManualClock, RecordedNonces

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CARD_UUID = uuid.UUID("2b9d3f8e-6c41-4a70-9d52-7f10c3a8e655")
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
RSA2048 = rsa.generate_private_key(65537, 2048)
KEYS: dict[str, CardPrivateKey] = {"P-256": P256, "P-384": P384, "RSA-2048": RSA2048}


class PivSite:
    """One authority with its files in a directory. `revoke` writes the list anew."""

    def __init__(self, directory: Path, authority: PivAuthority | None = None, *, lists: bool = False) -> None:
        self.authority = authority or PivAuthority()
        self.time = NOW
        self.certificates = directory / "cards.pem"
        self.certificates.write_bytes(self.authority.pem)
        self.revoked = directory / "revoked.crl"
        if lists:
            self.revoke()
        self.site = SiteAuthority(self.certificates, lambda: self.time, self.revoked if lists else None)
        self.site.open()

    def revoke(self, *certificates: x509.Certificate) -> None:
        self.revoked.write_bytes(self.authority.revocation_list(certificates))

    def scheme(self, nonces: NonceSource | None = None, monotonic: Callable[[], float] | None = None) -> PivScheme:
        return PivScheme(self.site, nonces or RecordedNonces(), monotonic or ManualClock())

    def card(
        self, key: CardPrivateKey = P256, fault: Fault = Fault.NONE, certificate: x509.Certificate | None = None
    ) -> PivCard:
        certificate = certificate or self.authority.issue(key.public_key(), card_uuid=CARD_UUID)
        return PivCard(key, certificate, FIXED_UID, fault)
