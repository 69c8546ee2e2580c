"""A small certificate authority for virtual PIV cards: a root, what it issues and takes back. Test material."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CARD_AUTHENTICATION = x509.ObjectIdentifier("2.16.840.1.101.3.6.8")
FASC_N = x509.ObjectIdentifier("2.16.840.1.101.3.6.6")
FASC_N_HEAD = bytes.fromhex("0419")
FROM = datetime(2024, 1, 1, tzinfo=UTC)
UNTIL = datetime(2044, 1, 1, tzinfo=UTC)

CardPublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class PivAuthority:
    """A root, or an authority below `parent`; with a new P-256 key unless one is given."""

    def __init__(
        self,
        name: str = "Test card authority",
        parent: "PivAuthority | None" = None,
        path_length: int | None = None,
        not_before: datetime = FROM,
        not_after: datetime = UNTIL,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> None:
        self._key = key or ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self._parent = parent
        builder = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(_usage(for_authority=True), critical=True)
        )
        signer = parent if parent is not None else self
        self.certificate = signer._signed(builder)

    @property
    def pem(self) -> bytes:
        """Its own certificate and those above it, as a site's file of authorities holds them."""
        above = self._parent.pem if self._parent is not None else b""
        return self.certificate.public_bytes(Encoding.PEM) + above

    def issue(
        self,
        key: CardPublicKey,
        *,
        card_uuid: uuid.UUID | None = None,
        fasc_n: bytes | None = None,
        not_before: datetime = FROM,
        not_after: datetime = UNTIL,
        extended_key_usage: x509.ObjectIdentifier | None = CARD_AUTHENTICATION,
        extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    ) -> x509.Certificate:
        """A card authentication certificate; `extensions` are added with their criticality."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named("Card"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(_usage(for_authority=False), critical=True)
        )
        names: list[x509.GeneralName] = []
        if fasc_n is not None:
            names.append(x509.OtherName(FASC_N, FASC_N_HEAD + fasc_n))
        if card_uuid is not None:
            names.append(x509.UniformResourceIdentifier(card_uuid.urn))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if extended_key_usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([extended_key_usage]), critical=True)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return self._signed(builder)

    def revocation_list(
        self,
        revoked: Iterable[x509.Certificate] = (),
        *,
        last_update: datetime = FROM,
        next_update: datetime = UNTIL,
        extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    ) -> bytes:
        """A CRL in PEM."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(last_update).next_update(next_update)
        for certificate in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            entry = entry.revocation_date(last_update + timedelta(seconds=1))
            builder = builder.add_revoked_certificate(entry.build())
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.issuer_name(self._name).sign(self._key, hashes.SHA256())

    def __repr__(self) -> str:
        return "PivAuthority()"


SERVER = ExtendedKeyUsageOID.SERVER_AUTH


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, for_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not for_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=for_authority,
        crl_sign=for_authority,
        encipher_only=False,
        decipher_only=False,
    )
