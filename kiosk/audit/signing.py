"""Ed25519 (RFC 8032): the key that signs checkpoints, and public keys as others keep them.

The cryptography library is loaded when a key is first used: a terminal that imports kiosk.audit starts without it.
"""

import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Final

from kiosk.audit.disk import sync_directory
from kiosk.errors import TrailError

SEED_SIZE: Final = 32
PUBLIC_KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64
OTHERS: Final = 0o077
# SubjectPublicKeyInfo of an Ed25519 key (RFC 8410, 4) up to the 32 octets of the key itself.
SPKI_PREFIX: Final = bytes.fromhex("302a300506032b6570032100")
PEM_BEGIN: Final = "-----BEGIN PUBLIC KEY-----"
PEM_END: Final = "-----END PUBLIC KEY-----"


class SigningKey:
    """A private key in a file of 32 octets, its owner's alone. It shows itself nowhere."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed

    def __repr__(self) -> str:
        return "SigningKey(…)"

    @classmethod
    def read(cls, path: Path) -> "SigningKey":
        """The key in that file; raises TrailError when there is none, or one that others could have read."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                status = os.fstat(handle)
                seed = file.read(SEED_SIZE + 1)
        except OSError as error:
            raise TrailError(f"The signing key of the audit trail cannot be read: {error.strerror}.") from None
        if status.st_mode & OTHERS or status.st_uid not in (os.geteuid(), 0):
            raise TrailError("The signing key of the audit trail is open to others.")
        if len(seed) != SEED_SIZE:
            raise TrailError("The signing key of the audit trail is damaged.")
        return cls(seed)

    @classmethod
    def create(cls, path: Path) -> "SigningKey":
        """A new key, durable in a file that is not there yet; raises OSError."""
        seed = secrets.token_bytes(SEED_SIZE)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(seed)
            file.flush()
            os.fsync(handle)
        sync_directory(path.parent)
        return cls(seed)

    def public_key(self) -> bytes:
        """The public half, 32 octets."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._seed).public_key().public_bytes_raw()

    def sign(self, text: bytes) -> bytes:
        """The signature of `text`, 64 octets."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._seed).sign(text)


def is_signed(public_key: bytes, signature: bytes, text: bytes) -> bool:
    """Whether that key made that signature of `text`; False too for what is no key or no signature."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(public_key: bytes) -> str:
    """What people compare: the first 16 hexadecimal digits of the key's SHA-256."""
    return sha256(public_key).hexdigest()[:16]


def to_pem(public_key: bytes) -> str:
    """The public key as OpenSSL and everybody else reads it (RFC 7468, 13)."""
    from base64 import b64encode

    return f"{PEM_BEGIN}\n{b64encode(SPKI_PREFIX + public_key).decode('ascii')}\n{PEM_END}\n"


def from_pem(text: str) -> bytes:
    """The 32 octets of an Ed25519 public key in PEM, or in 64 hexadecimal digits; raises TrailError."""
    import binascii
    from base64 import b64decode

    body = text.strip()
    try:
        if body.startswith(PEM_BEGIN) and body.endswith(PEM_END):
            octets = b64decode("".join(body[len(PEM_BEGIN) : -len(PEM_END)].split()), validate=True)
            if octets.startswith(SPKI_PREFIX) and len(octets) == len(SPKI_PREFIX) + PUBLIC_KEY_SIZE:
                return octets[len(SPKI_PREFIX) :]
        elif len(body) == 2 * PUBLIC_KEY_SIZE:
            return bytes.fromhex(body)
    except (binascii.Error, ValueError):
        pass
    raise TrailError("This is no Ed25519 public key in PEM.")
