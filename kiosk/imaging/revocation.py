"""Whether files of revocation lists (RFC 5280 5) will do, before a peer's certificate is held against them."""

import re
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

LARGEST_FILE: Final = 64 * 1024 * 1024
_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


def complaint(path: Path, now: datetime) -> str:
    """A sentence that says why the file cannot be used at `now` (UTC); empty when every list in it can be."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}."
    if len(content) > LARGEST_FILE:
        return f"{path} is larger than any file of revocation lists."
    blocks = [(match[1], match[0]) for match in _PEM.finditer(content)]
    if not blocks or any(kind != b"X509 CRL" for kind, _ in blocks):
        return f"{path} is not a file of revocation lists in PEM and nothing else."
    for _, block in blocks:
        if said := _complaint(path, block, now):
            return said
    return ""


def _complaint(path: Path, block: bytes, now: datetime) -> str:
    try:
        known = x509.load_pem_x509_crl(block)
        since, until = known.last_update_utc, known.next_update_utc
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return f"{path} holds a revocation list that cannot be read."
    if until is None:
        return f"{path} holds a revocation list that does not say how long it holds."
    if now > until:
        return f"{path} holds a revocation list that has expired on {until:%Y-%m-%d %H:%M} UTC."
    if now < since:
        return f"{path} holds a revocation list that is not valid before {since:%Y-%m-%d %H:%M} UTC."
    return ""
