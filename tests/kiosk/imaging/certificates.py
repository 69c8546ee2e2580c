"""Certificates for the TLS tests: authorities of their own, made when they are needed."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kiosk.imaging.peers import Tls


@dataclass(frozen=True)
class Authority:
    """Somebody who signs certificates. `file` is its own, in PEM."""

    file: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def issue(self, name: str, *, days: int = 30, hosts: tuple[str, ...] = ("localhost", "127.0.0.1")) -> "Holder":
        """A certificate and its key; negative `days` have passed already."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        names = [_general_name(host) for host in hosts]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        return Holder(_written(self.file.parent / f"{name}.crt", certificate), _key(self.file.parent / name, key))

    def tls(self, holder: "Holder", *, server_name: str = "", pinned: bool = False) -> Tls:
        """The settings of whoever holds a certificate and trusts this authority."""
        return Tls(str(self.file), str(holder.certificate), str(holder.key), server_name, pinned)


@dataclass(frozen=True)
class Holder:
    """Somebody with a certificate: the files of it and of its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Site:
    """One authority of the site, another of somebody else, and who holds certificates of the first."""

    authority: Authority
    other: Authority
    kiosk: Holder
    archive: Holder

    @property
    def tls(self) -> Tls:
        """How the kiosk speaks to the archive."""
        return self.authority.tls(self.kiosk)


def make_site(folder: Path) -> Site:
    """A site with its authority, its kiosk and its archive; their files in `folder`."""
    authority, other = make_authority(folder / "ours", "site"), make_authority(folder / "theirs", "other")
    return Site(authority, other, authority.issue("kiosk"), authority.issue("archive"))


def make_authority(folder: Path, name: str) -> Authority:
    """A new authority, its files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=60))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(_written(folder / f"{name}.pem", certificate), certificate, key)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _written(path: Path, certificate: x509.Certificate) -> Path:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _key(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    file = path.with_suffix(".key")
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    file.chmod(0o600)
    return file
