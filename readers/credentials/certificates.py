"""Does the site's own authority stand behind a card's certificate, now? (RFC 5280 6, as far as card keys need it.)"""

import stat
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from readers.credentials.revocation import Revocation, RevocationFile
from readers.errors import ReaderError

LONGEST_CHAIN = 6
SUFFIXES = (".pem", ".crt")
STRONG_HASHES = ("sha256", "sha384", "sha512")
CARD_AUTHENTICATION = x509.ObjectIdentifier("2.16.840.1.101.3.6.8")
PROCESSED = (
    x509.BasicConstraints.oid,
    x509.KeyUsage.oid,
    x509.ExtendedKeyUsage.oid,
    x509.SubjectAlternativeName.oid,
    x509.CertificatePolicies.oid,
)
PROCESSED_IN_AUTHORITIES = (*PROCESSED, x509.PolicyConstraints.oid, x509.InhibitAnyPolicy.oid)
Value = TypeVar("Value", bound=x509.ExtensionType)
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class CertificateFault(Enum):
    """Why a card's certificate does not count."""

    UNKNOWN_ISSUER = "unknown_issuer"
    UNFIT = "unfit"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    REVOKED = "revoked"
    REVOCATION_UNKNOWN = "revocation_unknown"


class SiteAuthority:
    """The certificates that the site trusts to issue cards, and the lists of cards they have taken back.

    Every certificate in the PEM file, or in the *.pem and *.crt files of the folder, is trusted by being there: the
    card brings only its own, so intermediate authorities belong there too. With a CRL file, a card counts only under
    a current list of its direct issuer; lists of higher authorities are obeyed where the file has them. Authorities
    themselves are skipped while invalid.
    """

    def __init__(self, certificates: Path, now: Callable[[], datetime], revoked: Path | None = None) -> None:
        """`now` gives the time with its zone; `revoked` is the CRL file, None where the site does not revoke."""
        self._path = certificates
        self._now = now
        self._revoked = None if revoked is None else RevocationFile(revoked)
        self._authorities: tuple[x509.Certificate, ...] = ()

    def open(self) -> None:
        """Reads both files; raises ReaderError with a sentence for whoever set them up."""
        try:
            authorities = x509.load_pem_x509_certificates(_content(self._path))
            fit = all(map(_is_authority, authorities))
        except OSError as error:
            raise ReaderError(f"{self._path}: {error.strerror}") from None
        except UNREADABLE:
            raise ReaderError(f"{self._path}: not a PEM file of certificates") from None
        if not fit:
            raise ReaderError(f"{self._path}: a certificate in it may not issue others, or limits them unreadably")
        if self._revoked is not None:
            self._revoked.open()
        self._authorities = tuple(authorities)

    def judge(self, certificate: x509.Certificate) -> CertificateFault | None:
        """What is wrong with a card's certificate now; None when nothing is. Never raises for its content."""
        now = self._now()
        try:
            issuer = self._issuer(certificate, 0, now)
            if issuer is None:
                return CertificateFault.UNKNOWN_ISSUER
            if not _is_for_cards(certificate):
                return CertificateFault.UNFIT
            if now < certificate.not_valid_before_utc:
                return CertificateFault.NOT_YET_VALID
            if now > certificate.not_valid_after_utc:
                return CertificateFault.EXPIRED
        except UNREADABLE:
            return CertificateFault.UNFIT
        return self._revocation(certificate, issuer, now)

    def _revocation(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
    ) -> CertificateFault | None:
        if self._revoked is None:
            return None
        said = self._revoked.look_up(certificate, issuer, now)
        if said is Revocation.UNKNOWN:
            return CertificateFault.REVOCATION_UNKNOWN
        for depth in range(1, LONGEST_CHAIN):
            if said is Revocation.REVOKED:
                return CertificateFault.REVOKED
            higher = self._issuer(issuer, depth, now)
            if higher is None or higher == issuer:
                break
            said = self._revoked.look_up(issuer, higher, now)
            issuer = higher
        return CertificateFault.REVOKED if said is Revocation.REVOKED else None

    def _issuer(self, certificate: x509.Certificate, below: int, now: datetime) -> x509.Certificate | None:
        """The authority that signed `certificate`, which has `below` authorities under it."""
        for authority in self._authorities:
            if certificate.issuer != authority.subject:
                continue
            if not authority.not_valid_before_utc <= now <= authority.not_valid_after_utc:
                continue
            if _allows(authority, below) and _signed(certificate, authority):
                return authority
        return None


def _content(path: Path) -> bytes:
    """All of a file, or of a folder's; raises OSError, and ReaderError where anybody may add an authority."""
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise ReaderError(f"{path}: no {' or '.join(f'*{suffix}' for suffix in SUFFIXES)} file is in it")
    for place in {path, *files}:
        if place.stat().st_mode & stat.S_IWOTH:
            raise ReaderError(f"{place}: anybody may change it; take that right away (chmod o-w)")
    return b"\n".join(file.read_bytes() for file in files)


def _is_authority(certificate: x509.Certificate) -> bool:
    constraints = _value(certificate, x509.BasicConstraints)
    usage = _value(certificate, x509.KeyUsage)
    may_sign = usage is None or usage.key_cert_sign
    return constraints is not None and constraints.ca and may_sign and _knows(certificate, PROCESSED_IN_AUTHORITIES)


def _is_for_cards(certificate: x509.Certificate) -> bool:
    """A certificate for something else, such as a web server of the same authority, is none for a card.

    Extended key usage, where there is one, names card authentication (FIPS 201-3, SP 800-73pt1-5 id-PIV-cardAuth).
    """
    constraints = _value(certificate, x509.BasicConstraints)
    usage = _value(certificate, x509.KeyUsage)
    extended = _value(certificate, x509.ExtendedKeyUsage)
    if (constraints is not None and constraints.ca) or (usage is not None and not usage.digital_signature):
        return False
    return (extended is None or CARD_AUTHENTICATION in extended) and _knows(certificate, PROCESSED)


def _allows(authority: x509.Certificate, below: int) -> bool:
    constraints = _value(authority, x509.BasicConstraints)
    return constraints is not None and (constraints.path_length is None or below <= constraints.path_length)


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    algorithm = certificate.signature_hash_algorithm
    if algorithm is not None and algorithm.name not in STRONG_HASHES:
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _knows(certificate: x509.Certificate, processed: tuple[x509.ObjectIdentifier, ...]) -> bool:
    return all(extension.oid in processed for extension in certificate.extensions if extension.critical)


def _value(certificate: x509.Certificate, kind: type[Value]) -> Value | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
