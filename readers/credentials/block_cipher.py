"""A block cipher as EV1 secure messaging needs it: AES, or DES until the first key is changed."""

from collections.abc import Callable
from dataclasses import dataclass

from readers.credentials import aes, des

Chained = Callable[[bytes, bytes, bytes], bytes]


@dataclass(frozen=True)
class BlockCipher:
    """CBC and CMAC, each of key, data and the block that the chain starts with; sizes in bytes."""

    key_size: int
    block: int
    encrypt: Chained
    decrypt: Chained
    cmac: Chained

    @property
    def zeros(self) -> bytes:
        """Where a new chain starts."""
        return bytes(self.block)


AES = BlockCipher(aes.KEY_SIZE, aes.BLOCK, aes.encrypt, aes.decrypt, aes.cmac)
DES = BlockCipher(des.KEY_SIZE, des.BLOCK, des.encrypt, des.decrypt, des.cmac)
