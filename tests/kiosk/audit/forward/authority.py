"""A certificate authority for tests: certificates for a receiver and a kiosk, valid or expired."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kiosk.audit.forward import Credentials

SERVER = "arr.test"
CLIENT = "kiosk-7.test"
DAY = timedelta(days=1)


class Authority:
    """Issues into a folder: ca.pem, and NAME.pem with NAME.key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name("Test authority")
        now = datetime.now(UTC)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 10 * DAY)
            .not_valid_after(now + 10 * DAY)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(usage, True)
            .sign(self.key, hashes.SHA256())
        )
        self.path = folder / "ca.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, is_expired: bool = False, file: str = "") -> tuple[Path, Path]:
        """A certificate for that DNS name with a new key, in place of the one before; its file and its key's."""
        key = ec.generate_private_key(ec.SECP256R1())
        end = datetime.now(UTC) - DAY if is_expired else datetime.now(UTC) + DAY
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - 3 * DAY)
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False
            )
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / f"{file or name}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        path.with_suffix(".key").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
        return path, path.with_suffix(".key")

    def credentials(self, certificate: Path | None = None, server_name: str = SERVER) -> Credentials:
        """What a kiosk shows and expects: its own good certificate unless another is named."""
        if certificate is None:
            certificate = self.folder / f"{CLIENT}.pem"
            if not certificate.exists():
                self.issue(CLIENT)
        return Credentials(self.path, certificate, certificate.with_suffix(".key"), server_name)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
