"""The evolving MAC key: each checkpoint ends its epoch, and the key of an ended epoch is on no disk any more.

K(e+1) = HMAC-SHA-256(K(e), "kiosk trail epoch" ‖ e+1 as 64 bits). Who takes the key at some moment can make no MAC of
an earlier epoch. Who kept K(0) elsewhere can make and check all of them: `kiosk audit key --escrow` hands it out before
anything is recorded, and never again. (A flash drive may keep blocks that were overwritten: encrypt the disk.)
"""

import hmac
import os
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from kiosk.audit.disk import OTHERS, sync_directory
from kiosk.errors import TrailError

KEY_SIZE: Final = 32
MAC_SIZE: Final = 16
SLOT_AT: Final = (0, 512)  # sectors apart: a torn write leaves the other one
SLOT_SIZE: Final = 64
CHECK_SIZE: Final = SLOT_SIZE - KEY_SIZE - 8
EPOCH_LABEL: Final = b"kiosk trail epoch"
COMMITMENT_PREFIX: Final = b"\x03"
RECORD_PREFIX: Final = b"\x04"
CHECKPOINT_PREFIX: Final = b"\x05"


@dataclass(frozen=True)
class MacKey:
    """The key of one epoch."""

    epoch: int
    key: bytes = field(repr=False)

    def at(self, epoch: int) -> "MacKey":
        """The key of that epoch or a later one; raises ValueError for an earlier one, which nobody can make."""
        if epoch < self.epoch:
            raise ValueError("A MAC key does not go back")
        key = self.key
        for number in range(self.epoch + 1, epoch + 1):
            key = hmac.digest(key, EPOCH_LABEL + number.to_bytes(8, "big"), "sha256")
        return MacKey(epoch, key)

    def record(self, value: bytes) -> bytes:
        """The MAC of a record by its hash, 16 octets."""
        return hmac.digest(self.key, RECORD_PREFIX + value, "sha256")[:MAC_SIZE]

    def checkpoint(self, body: bytes) -> bytes:
        """The MAC of a checkpoint, 16 octets."""
        return hmac.digest(self.key, CHECKPOINT_PREFIX + body, "sha256")[:MAC_SIZE]


def commitment(first_key: bytes) -> bytes:
    """What the genesis holds of K(0): enough to know it again, nothing to make it from."""
    return sha256(COMMITMENT_PREFIX + first_key).digest()


class MacKeyFile:
    """The key as it lies on the disk. Whoever calls `advance` holds the trail's key lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self) -> MacKey:
        """A new key of epoch 0 in a file that is not there yet; raises OSError."""
        key = MacKey(0, secrets.token_bytes(KEY_SIZE))
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.truncate(handle, SLOT_AT[1] + SLOT_SIZE)
            _write(handle, SLOT_AT[0], _slot(key))
        finally:
            os.close(handle)
        sync_directory(self._path.parent)
        return key

    def read(self) -> MacKey:
        """The newest key in the file; raises TrailError when there is none, or one that others could have read."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if os.fstat(handle).st_mode & OTHERS:
                    raise TrailError("The MAC key of the audit trail is open to others.")
                return _newest(handle)[1]
            finally:
                os.close(handle)
        except OSError as error:
            raise TrailError(f"The MAC key of the audit trail cannot be read: {error.strerror}.") from None

    def advance(self, epoch: int) -> MacKey:
        """The key of that epoch, which the file holds from then on, and no earlier one.

        Raises OSError, and TrailError when the file is at a later epoch already.
        """
        handle = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            place, stored = _newest(handle)
            if stored.epoch > epoch:
                raise TrailError(BEHIND_ITS_KEY)
            key = stored.at(epoch)
            other = SLOT_AT[1 - SLOT_AT.index(place)]
            if stored.epoch < epoch:
                _write(handle, other, _slot(key))
                place, other = other, place
            if any(os.pread(handle, SLOT_SIZE, other)):
                _write(handle, other, bytes(SLOT_SIZE))
            return key
        finally:
            os.close(handle)


BEHIND_ITS_KEY: Final = "The audit trail is older than its own MAC key: the file was put back to an earlier copy."


def _slot(key: MacKey) -> bytes:
    content = key.epoch.to_bytes(8, "big") + key.key
    return content + sha256(content).digest()[:CHECK_SIZE]


def _newest(handle: int) -> tuple[int, MacKey]:
    found = []
    for place in SLOT_AT:
        slot = os.pread(handle, SLOT_SIZE, place)
        content, check = slot[: 8 + KEY_SIZE], slot[8 + KEY_SIZE :]
        if len(slot) == SLOT_SIZE and sha256(content).digest()[:CHECK_SIZE] == check:
            found.append((place, MacKey(int.from_bytes(content[:8], "big"), content[8:])))
    if not found:
        raise TrailError("The MAC key of the audit trail is damaged.")
    return max(found, key=lambda item: item[1].epoch)


def _write(handle: int, place: int, content: bytes) -> None:
    os.pwrite(handle, content, place)
    os.fsync(handle)
