"""TLS with peers: the BCP 195 profile (PS3.15 B.12, RFC 9325), both sides by certificate. Keys are read here only.

Suites are those with forward secrecy and authenticated encryption, which B.13 asks for too; versions 1.2 and 1.3.
"""

import os
import ssl
import stat
from threading import Lock
from typing import Final

from kiosk.errors import ImagingError
from kiosk.imaging.peers import Tls

SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:@SECLEVEL=2"
LARGEST_SECRET: Final = 64 * 1024

Stamp = tuple[int, ...]

_made: dict[tuple[Tls, bool], tuple[Stamp, ssl.SSLContext]] = {}
_lock: Final = Lock()


def client_context(settings: Tls) -> ssl.SSLContext:
    """For associations that we open; raises ImagingError for files that will not do. Renewed files are read anew."""
    return _context(settings, False)


def server_context(settings: Tls) -> ssl.SSLContext:
    """For associations that this peer opens to us: it has to show a certificate that its authority vouches for."""
    return _context(settings, True)


def read_secret(path: str) -> bytes:
    """A small file that others can neither read nor change, end of line removed; raises ImagingError, never with it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            _check_private(path, os.fstat(handle))
            secret = file.read(LARGEST_SECRET + 1)
    except OSError as error:
        raise ImagingError(f"{path} cannot be read: {error.strerror}.") from None
    secret = secret.rstrip(b"\r\n")
    if not 0 < len(secret) <= LARGEST_SECRET - 1:
        raise ImagingError(f"{path} does not hold a secret of 1 to {LARGEST_SECRET - 1} bytes.")
    return secret


def _check_private(path: str, status: os.stat_result) -> None:
    """Its group may read it (0640, as of Debian's group ssl-cert), others may not, and only its owner may write."""
    if not stat.S_ISREG(status.st_mode):
        raise ImagingError(f"{path} is not a plain file.")
    if status.st_mode & 0o027:
        raise ImagingError(f"{path} is open to others; its mode must be 0600.")
    if status.st_uid not in (os.geteuid(), 0):
        raise ImagingError(f"{path} belongs to another user.")


def _context(settings: Tls, serving: bool) -> ssl.SSLContext:
    stamp = _stamp(settings)
    with _lock:
        known = _made.get((settings, serving))
        if known is None or known[0] != stamp:
            known = _made[settings, serving] = stamp, _make(settings, serving)
        return known[1]


def _stamp(settings: Tls) -> Stamp:
    numbers: list[int] = []
    for path in filter(None, (settings.authority, settings.certificate, settings.key, settings.crl)):
        try:
            status = os.stat(path)
        except OSError as error:
            raise ImagingError(f"{path} cannot be read: {error.strerror}.") from None
        if path == settings.key:
            _check_private(path, status)
        numbers += status.st_mtime_ns, status.st_ino, status.st_size
    return tuple(numbers)


def _make(settings: Tls, serving: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serving else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.check_hostname = not serving and not settings.pinned
    context.verify_mode = ssl.CERT_REQUIRED
    # The authority may be the peer's own certificate, or one in the middle of its chain.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # A session of one caller must not spare another the look at its certificate.
    context.options |= ssl.OP_NO_TICKET if serving else 0
    try:
        context.load_verify_locations(settings.authority)
    except (ssl.SSLError, OSError):
        raise ImagingError(f"{settings.authority} is not a file of certificates.") from None
    if settings.crl:
        _add_lists(context, settings.crl)
    try:
        # Without the callback OpenSSL would ask at the terminal.
        context.load_cert_chain(settings.certificate, settings.key, password=lambda: b"")
    except (ssl.SSLError, OSError):
        raise ImagingError(f"{settings.key} is not the key of the certificate in {settings.certificate}.") from None
    return context


def _add_lists(context: ssl.SSLContext, path: str) -> None:
    """From now on a peer is believed only if a current list of every authority in its chain does not name it."""
    before = context.cert_store_stats()
    try:
        context.load_verify_locations(path)
    except (ssl.SSLError, OSError):
        raise ImagingError(f"{path} is not a file of revocation lists.") from None
    after = context.cert_store_stats()
    # A certificate in this file would be believed as an authority.
    if after["crl"] == before["crl"] or after["x509"] != before["x509"]:
        raise ImagingError(f"{path} is not a file of revocation lists and nothing else.")
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
