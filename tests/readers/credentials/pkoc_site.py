"""A site with an issuer of PKOC certificates, its cards, and the scheme that trusts it, for tests."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from readers.credentials.cvc_issuers import CvcIssuers
from readers.credentials.pkoc import PkocScheme
from readers.virtual.pkoc_card import Fault, PkocCard, Profile
from readers.virtual.pkoc_issuer import PkocIssuer
from tests.readers.cards import ManualClock, RecordedNonces

TODAY = date(2026, 6, 1)
KEY = ec.generate_private_key(ec.SECP256R1())
POINT = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class PkocSite:
    """One issuer whose key lies in the site's folder. `time` is what the kiosk's clock shows."""

    def __init__(self, directory: Path) -> None:
        self.issuer = PkocIssuer()
        self.issuer.write(directory)
        self.time = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
        self.issuers = CvcIssuers(directory, lambda: self.time)
        self.issuers.open()

    def scheme(self, nonces: RecordedNonces | None = None, monotonic: Callable[[], float] | None = None) -> PkocScheme:
        return PkocScheme(nonces or RecordedNonces(), monotonic or ManualClock(), issuers=self.issuers)

    def card(
        self, profile: Profile = Profile.VERSION_2, fault: Fault = Fault.NONE, certificate: bytes | None = None
    ) -> PkocCard:
        return PkocCard(KEY, certificate or self.issuer.issue(POINT), profile, fault)
