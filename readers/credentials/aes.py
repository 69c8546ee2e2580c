"""AES-128 as NXP's cards use it: CBC without padding, CMAC, truncated CMAC and key diversification."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from readers.errors import ReaderError

KEY_SIZE = 16
BLOCK = 16
ZEROS = bytes(BLOCK)
REDUCTION = 0x87
AES_128_DIVERSIFICATION = b"\x01"
MAX_DIVERSIFICATION = 31


def encrypt(key: bytes, plain: bytes, iv: bytes = ZEROS) -> bytes:
    """AES-CBC of whole blocks (NIST SP 800-38A 6.2); raises ReaderError for anything else."""
    cipher = _cipher(key, plain, iv).encryptor()
    return cipher.update(plain) + cipher.finalize()


def decrypt(key: bytes, sealed: bytes, iv: bytes = ZEROS) -> bytes:
    """The reverse of `encrypt`; raises ReaderError for anything but whole blocks."""
    cipher = _cipher(key, sealed, iv).decryptor()
    return cipher.update(sealed) + cipher.finalize()


def pad(message: bytes, size: int = BLOCK) -> bytes:
    """`message`, 80, and zeros up to a multiple of `size` (ISO/IEC 9797-1 method 2): always at least one byte more."""
    return message + b"\x80" + bytes(-(len(message) + 1) % size)


def unpad(padded: bytes) -> bytes:
    """The reverse of `pad`; raises ReaderError where there is no padding."""
    message = padded.rstrip(b"\x00")
    if not message.endswith(b"\x80") or len(padded) - len(message) >= BLOCK:
        raise ReaderError("Deciphered data without its padding")
    return message[:-1]


def cmac(key: bytes, message: bytes, iv: bytes = ZEROS, *, padded_to: int = BLOCK) -> bytes:
    """AES-CMAC (NIST SP 800-38B 6.2), 16 bytes.

    `iv` is where the chain starts: EV1 secure messaging goes on from the MAC before. `padded_to` is the size whose
    multiples need no padding: AN10922 always works on 32 bytes.
    """
    whole = bool(message) and len(message) % padded_to == 0
    first = _double(encrypt(key, ZEROS))
    padded, subkey = (message, first) if whole else (pad(message, padded_to), _double(first))
    return encrypt(key, padded[:-BLOCK] + exclusive_or(padded[-BLOCK:], subkey), iv)[-BLOCK:]


def truncated(mac: bytes) -> bytes:
    """MACt: the 8 bytes of a 16-byte MAC that go over the air, every second one (AN12196)."""
    return mac[1::2]


def diversify(key: bytes, diversification: bytes) -> bytes:
    """The AES-128 key of one card (AN10922 2.2); `diversification` is 1 to 31 bytes, else ReaderError."""
    if not 1 <= len(diversification) <= MAX_DIVERSIFICATION:
        raise ReaderError(f"A diversification input has 1 to {MAX_DIVERSIFICATION} bytes")
    return cmac(key, AES_128_DIVERSIFICATION + diversification, padded_to=2 * BLOCK)


def exclusive_or(left: bytes, right: bytes) -> bytes:
    """Byte by byte; both must have one length."""
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def rotated_left(block: bytes) -> bytes:
    """One byte to the left, the first one to the end."""
    return block[1:] + block[:1]


def _cipher(key: bytes, data: bytes, iv: bytes) -> Cipher[modes.CBC]:
    if len(key) != KEY_SIZE:
        raise ReaderError(f"An AES-128 key has {KEY_SIZE} bytes")
    if not data or len(data) % BLOCK:
        raise ReaderError("AES works on whole blocks")
    return Cipher(algorithms.AES(key), modes.CBC(iv))


def _double(block: bytes) -> bytes:
    """Multiplies by x in GF(2^128) (NIST SP 800-38B 6.1)."""
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number = number & (1 << 128) - 1 ^ REDUCTION
    return number.to_bytes(BLOCK, "big")
