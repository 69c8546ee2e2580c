"""The hash chain: h(n) = SHA-256(0x01 ‖ h(n-1) ‖ n as 64 bits, big end first ‖ SHA-256(0x00 ‖ body))."""

from hashlib import sha256

FORMAT_VERSION = 3
HASH_SIZE = 32
BODY_PREFIX = b"\x00"
LINK_PREFIX = b"\x01"
GENESIS_PREFIX = b"\x02"


def genesis(
    kiosk_id: str, install_nonce: bytes, public_key: bytes, mac_commitment: bytes, version: int = FORMAT_VERSION
) -> bytes:
    """h(0): SHA-256(0x02 ‖ version as 64 bits ‖ SHA-256(0x00 ‖ kiosk id in UTF-8) ‖ nonce ‖ public key ‖ commitment).

    So the kiosk, the key that signs its checkpoints and the first MAC key are part of every later hash.
    """
    name = sha256(BODY_PREFIX + kiosk_id.encode("utf-8")).digest()
    number = version.to_bytes(8, "big")
    return sha256(GENESIS_PREFIX + number + name + install_nonce + public_key + mac_commitment).digest()


def link(previous: bytes, sequence: int, body: bytes) -> bytes:
    """h(n) of the record with this canonical `body` after the record whose hash is `previous`."""
    leaf = sha256(BODY_PREFIX + body).digest()
    return sha256(LINK_PREFIX + previous + sequence.to_bytes(8, "big") + leaf).digest()
