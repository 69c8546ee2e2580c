"""The issuers whose card verifiable certificates a site believes, and what they stand behind today."""

import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from readers.credentials.claim import RefusalReason
from readers.credentials.cvc import CardVerifiableCertificate, issuer_reference
from readers.errors import ReaderError, TlvError

SUFFIX = ".pem"
LARGEST_FILE = 65_536
PROFILE_1 = b"\x00"
P256 = bytes.fromhex("2A8648CE3D030107")


class CvcIssuers:
    """Public keys on P-256, one PEM file (SubjectPublicKeyInfo) each, named "<issuer>.pem" after the 16-character IIR.

    A key is trusted by lying in the folder; files of other names there are left alone.
    """

    def __init__(self, keys: Path, now: Callable[[], datetime]) -> None:
        """`keys`: the folder, or the one file. `now` gives the time with its zone; a day is one of UTC."""
        self._path = keys
        self._now = now
        self._keys: Mapping[str, bytes] = {}

    def open(self) -> None:
        """Reads the keys; raises ReaderError with a sentence for whoever set them up."""
        try:
            keys = {_issuer(path): _public_key(path) for path in _files(self._path)}
        except OSError as error:
            raise ReaderError(f"{error.filename or self._path}: {error.strerror}") from None
        if not keys:
            raise ReaderError(f"{self._path}: no issuer's key (<issuer>{SUFFIX}) is in it")
        self._keys = keys

    def judge(self, certificate: CardVerifiableCertificate) -> RefusalReason | None:
        """What is wrong with a card's certificate now; None when nothing is."""
        key = self._keys.get(certificate.issuer)
        if key is None:
            return RefusalReason.UNKNOWN_ISSUER
        if not certificate.verify(key):
            return RefusalReason.FORGED_CERTIFICATE
        if certificate.profile != PROFILE_1 or certificate.curve != P256 or not _is_point(certificate.public_key):
            return RefusalReason.UNFIT_CERTIFICATE
        today = self._now().astimezone(UTC).date()
        if today < certificate.effective:
            return RefusalReason.NOT_YET_VALID
        return RefusalReason.EXPIRED if today > certificate.expires else None

    def __repr__(self) -> str:
        return f"CvcIssuers({str(self._path)!r})"


def _files(path: Path) -> list[Path]:
    """The files of keys; raises OSError, and ReaderError where anybody may add one."""
    files = sorted(file for file in path.iterdir() if file.suffix == SUFFIX) if path.is_dir() else [path]
    for place in (path, *files):
        if place.stat().st_mode & stat.S_IWOTH:
            raise ReaderError(f"{place}: anybody may change it; take that right away (chmod o-w)")
    return files


def _issuer(path: Path) -> str:
    try:
        return issuer_reference(path.stem.encode())
    except TlvError:
        raise ReaderError(f"{path}: a key is named after its issuer, 16 capitals and digits") from None


def _public_key(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE)
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise ReaderError(f"{path}: not a public key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ReaderError(f"{path}: not a key on the curve P-256")
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _is_point(public_key: bytes) -> bool:
    """True for an uncompressed point that lies on P-256: one key has one form, for directories match on it."""
    if public_key[:1] != b"\x04":
        return False
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    except ValueError:
        return False
    return True
