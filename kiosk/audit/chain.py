"""The hash chain: h(n) = SHA-256(0x01 ‖ h(n-1) ‖ n as 64 bits, big end first ‖ SHA-256(0x00 ‖ body))."""

from hashlib import sha256

FORMAT_VERSION = 1
HASH_SIZE = 32
BODY_PREFIX = b"\x00"
LINK_PREFIX = b"\x01"
GENESIS_PREFIX = b"\x02"


def genesis(kiosk_id: str, install_nonce: bytes, version: int = FORMAT_VERSION) -> bytes:
    """h(0): SHA-256(0x02 ‖ version as 64 bits ‖ SHA-256(0x00 ‖ kiosk id in UTF-8) ‖ install nonce)."""
    name = sha256(BODY_PREFIX + kiosk_id.encode("utf-8")).digest()
    return sha256(GENESIS_PREFIX + version.to_bytes(8, "big") + name + install_nonce).digest()


def link(previous: bytes, sequence: int, body: bytes) -> bytes:
    """h(n) of the record with this canonical `body` after the record whose hash is `previous`."""
    leaf = sha256(BODY_PREFIX + body).digest()
    return sha256(LINK_PREFIX + previous + sequence.to_bytes(8, "big") + leaf).digest()
