"""A PIN between the keypad and its HMAC, in a wrapper that no repr, log or traceback can read through."""

import hashlib
import hmac
from typing import NoReturn


class EnteredPin:
    """What somebody typed. Only `reveal` and `under` see the digits."""

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        self._digits = digits

    def reveal(self) -> str:
        """The digits, for the rules that judge them."""
        return self._digits

    def under(self, key: bytes, person_id: str) -> bytes:
        """HMAC-SHA256(key, person_id || 0 || digits): 32 bytes that are nobody else's and useless without the key."""
        typed = self._digits.encode("utf-8", "surrogatepass")
        return hmac.new(key, person_id.encode() + b"\0" + typed, hashlib.sha256).digest()

    def __repr__(self) -> str:
        return "EnteredPin(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A PIN is not written anywhere")
