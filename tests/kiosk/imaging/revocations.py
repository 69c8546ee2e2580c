"""Revocation lists for the TLS tests, and an authority in the middle of a chain."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.kiosk.imaging.certificates import Authority, Holder

HOUR = timedelta(hours=1)


def revoke(
    authority: Authority,
    *revoked: Holder,
    since: timedelta = -48 * HOUR,
    until: timedelta = 48 * HOUR,
    encoding: serialization.Encoding = serialization.Encoding.PEM,
) -> bytes:
    """The authority's list of these, valid from `since` until `until` from now on."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now + since)
        .next_update(now + until)
    )
    for holder in revoked:
        certificate = x509.load_pem_x509_certificate(holder.certificate.read_bytes())
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(now - 48 * HOUR).build())
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(encoding)


def make_deputy(authority: Authority, folder: Path, name: str) -> Authority:
    """An authority that another vouches for; `file` holds its certificate only."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=60))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(authority.key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(file, certificate, key)


def with_chain(holder: Holder, deputy: Authority) -> Holder:
    """Shows the deputy's certificate after the holder's own."""
    chain = holder.certificate.with_suffix(".chain")
    chain.write_bytes(holder.certificate.read_bytes() + deputy.file.read_bytes())
    return Holder(chain, holder.key)
