"""Which certificates their authority has taken back: a CRL file (RFC 5280 5) that may be replaced at any time."""

import re
from datetime import datetime
from enum import Enum
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from readers.errors import ReaderError

LARGEST_FILE = 64 * 1024 * 1024
PEM = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

Stamp = tuple[int, int, int]


class Revocation(Enum):
    """What the lists say about one certificate. UNKNOWN: there is no list of its issuer that is valid now."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class RevocationFile:
    """One DER list or any number of PEM lists. A changed file is read again; one that cannot be read knows nothing.

    Lists are believed only under their issuer's signature and until their own next update: a stale list is UNKNOWN.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._lists: tuple[x509.CertificateRevocationList, ...] = ()

    def open(self) -> None:
        """Reads the file; raises ReaderError with a sentence for whoever set it up."""
        try:
            status = self._path.stat()
            if status.st_size > LARGEST_FILE:
                raise ReaderError(f"{self._path}: larger than any revocation list")
            self._lists = _lists(self._path.read_bytes())
        except OSError as error:
            raise ReaderError(f"{self._path}: {error.strerror}") from None
        except UNREADABLE:
            raise ReaderError(f"{self._path}: not a revocation list that can be checked") from None
        self._stamp = (status.st_mtime_ns, status.st_size, status.st_ino)

    def look_up(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Revocation:
        """What the newest valid list by `issuer` says about `certificate` at `now` (UTC)."""
        if not self._is_current():
            return Revocation.UNKNOWN
        try:
            return self._look_up(certificate, issuer, now)
        except UNREADABLE:  # a part of a list is read only when it is asked for
            return Revocation.UNKNOWN

    def _look_up(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Revocation:
        fitting = [known for known in self._lists if _is_believed(known, issuer, now)]
        if not fitting:
            return Revocation.UNKNOWN
        newest = max(fitting, key=lambda known: known.last_update_utc)
        entry = newest.get_revoked_certificate_by_serial_number(certificate.serial_number)
        return Revocation.GOOD if entry is None else Revocation.REVOKED

    def _is_current(self) -> bool:
        try:
            status = self._path.stat()
            if (status.st_mtime_ns, status.st_size, status.st_ino) != self._stamp:
                self.open()
        except (OSError, ReaderError):
            self._stamp, self._lists = None, ()
            return False
        return True


def _lists(content: bytes) -> tuple[x509.CertificateRevocationList, ...]:
    if content.lstrip().startswith(b"-----BEGIN"):
        lists = tuple(x509.load_pem_x509_crl(block) for block in PEM.findall(content))
    else:
        lists = (x509.load_der_x509_crl(content),)
    if not lists or not all(map(_is_complete, lists)):
        raise ValueError("No list, or one that tells a part only")
    return lists


def _is_complete(known: x509.CertificateRevocationList) -> bool:
    """False for delta and indirect lists and for those of some reasons only (RFC 5280 5.2.4, 5.2.5), or of nobody."""
    if not known.issuer.rdns:
        return False
    for extension in known.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl or value.only_some_reasons or value.only_contains_attribute_certs:
                return False
            if value.only_contains_ca_certs:
                return False
        elif extension.critical:
            return False
    return True


def _is_believed(known: x509.CertificateRevocationList, issuer: x509.Certificate, now: datetime) -> bool:
    if known.issuer != issuer.subject or known.next_update_utc is None:
        return False
    if not known.last_update_utc <= now <= known.next_update_utc or not _may_sign_lists(issuer):
        return False
    key = issuer.public_key()
    try:
        return known.is_signature_valid(key)  # type: ignore[arg-type]  # keys that cannot sign raise TypeError
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _may_sign_lists(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True
