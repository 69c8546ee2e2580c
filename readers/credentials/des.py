"""DES in the one place where it cannot be avoided: the key that a DESFire leaves the factory with."""

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from readers.credentials.aes import exclusive_or, pad
from readers.errors import ReaderError

KEY_SIZE = 8
BLOCK = 8
ZEROS = bytes(BLOCK)
REDUCTION = 0x1B


def encrypt(key: bytes, plain: bytes, iv: bytes = ZEROS) -> bytes:
    """DES-CBC of whole blocks; raises ReaderError for anything else."""
    cipher = _cipher(key, plain, iv).encryptor()
    return cipher.update(plain) + cipher.finalize()


def decrypt(key: bytes, sealed: bytes, iv: bytes = ZEROS) -> bytes:
    """The reverse of `encrypt`; raises ReaderError for anything but whole blocks."""
    cipher = _cipher(key, sealed, iv).decryptor()
    return cipher.update(sealed) + cipher.finalize()


def cmac(key: bytes, message: bytes, iv: bytes = ZEROS) -> bytes:
    """CMAC over 64-bit blocks (NIST SP 800-38B 6.2), 8 bytes. `iv` is where the chain starts."""
    whole = bool(message) and len(message) % BLOCK == 0
    first = _double(encrypt(key, ZEROS))
    padded, subkey = (message, first) if whole else (pad(message, BLOCK), _double(first))
    return encrypt(key, padded[:-BLOCK] + exclusive_or(padded[-BLOCK:], subkey), iv)[-BLOCK:]


def _cipher(key: bytes, data: bytes, iv: bytes) -> Cipher[modes.CBC]:
    if len(key) != KEY_SIZE:
        raise ReaderError(f"A DES key has {KEY_SIZE} bytes")
    if not data or len(data) % BLOCK:
        raise ReaderError("DES works on whole blocks")
    return Cipher(TripleDES(3 * key), modes.CBC(iv))


def _double(block: bytes) -> bytes:
    """Multiplies by x in GF(2^64)."""
    number = int.from_bytes(block, "big") << 1
    if number >> 64:
        number = number & (1 << 64) - 1 ^ REDUCTION
    return number.to_bytes(BLOCK, "big")
