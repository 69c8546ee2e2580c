"""Taps payment cards that another process holds, with everything logged and shown: run by test_emv_sweep.

The cards lie behind a socket, so that this process learns an account number only by reading it. Each tap may be cut
short at one APDU, before or after the card has answered; whatever is raised is printed with the locals of its frames.
"""

import gc
import logging
import socket
import sys
import time
from itertools import cycle
from traceback import TracebackException

from readers.apdu import Command, Response
from readers.credentials.claim import Claim, Refusal
from readers.credentials.emv import EmvScheme
from readers.credentials.emv_keys import IdentifierKey, StoredIdentifierKey
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import DEFAULT_LIMITS, Ladder
from readers.credentials.limits import LimitedCard
from readers.errors import CardGone, TransmitFailed
from readers.uid import Uid

NEXT_CARD = b"\x00"
LONGEST_TAP = 9
LOG = logging.getLogger("taps")


class Fallen(Exception):
    """Something that nobody foresaw."""


class Keys:
    def diversified(self, name: str, diversification: bytes) -> bytes:
        return (name.encode() + diversification).ljust(16)[:16]


class BrokenKey:
    def keyed_hash(self, message: bytearray) -> bytes:
        raise Fallen("The key broke while it was used")


class DistantCard:
    """A card at the other end of a socket; `fall` is raised around the exchange with that number."""

    uid = Uid.from_hex("04A1B2C3D4E580")
    atr = bytes.fromhex("3B80800101")
    takes_apdus = True

    def __init__(self, wire: socket.socket, at: int, fall: type[Exception] | None, *, before: bool) -> None:
        self._wire = wire
        self._at = at
        self._fall = fall
        self._before = before
        self._count = 0
        wire.sendall(len(NEXT_CARD).to_bytes(2, "big") + NEXT_CARD)

    def transmit(self, command: Command) -> Response:
        self._count += 1
        if self._fall is not None and self._count == self._at and self._before:
            raise self._fall("before the answer")
        response = self._exchange(bytes(command))
        LOG.debug("%r -> %r", command, response)
        if self._fall is not None and self._count == self._at:
            raise self._fall("after the answer")
        if response is None:
            raise CardGone("The card left the field")
        return response

    def _exchange(self, raw: bytes) -> Response | None:
        self._wire.sendall(len(raw).to_bytes(2, "big") + raw)
        size = int.from_bytes(self._wire.recv(2, socket.MSG_WAITALL), "big")
        return Response.parse(self._wire.recv(size, socket.MSG_WAITALL)) if size else None


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show(error: Exception) -> None:
    LOG.error("tap failed", exc_info=error)
    say("".join(TracebackException.from_exception(error, capture_locals=True).format()))


def tap(card: DistantCard, key: IdentifierKey, *, climb: bool) -> Claim | Refusal | None:
    scheme = EmvScheme(key)
    if climb:
        return Ladder([scheme, UidScheme()], time.monotonic).identify(card)
    return scheme.identify(LimitedCard(card, DEFAULT_LIMITS, time.monotonic))


def live(wanted: bytes) -> int:
    """How many living objects hold `wanted`, apart from itself."""
    found = {id(each): each for known in gc.get_objects() for each in gc.get_referents(known)}
    return sum(
        wanted in bytes(each) for each in found.values() if isinstance(each, bytes | bytearray) and each is not wanted
    )


def main(descriptor: int, taps: int, control: str) -> None:
    kept = bytearray(control[::-1].encode("ascii"))
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
    falls = cycle([None, CardGone, TransmitFailed, Fallen, None])
    claims, errors = 0, 0
    with socket.socket(fileno=descriptor) as wire:
        for number in range(taps):
            key: IdentifierKey = BrokenKey() if number % 11 == 10 else StoredIdentifierKey(Keys())
            card = DistantCard(wire, number % LONGEST_TAP + 1, next(falls), before=number % 2 == 0)
            try:
                outcome = tap(card, key, climb=number % 3 == 0)
            except Exception as error:
                errors += 1
                show(error)
            else:
                claims += isinstance(outcome, Claim)
                LOG.debug("%r %s", outcome, outcome)
                say(str(vars(outcome) if outcome is not None else None))
        gc.collect()
        wire.sendall(b"\x00\x00")
        say(f"TAPS {taps} CLAIMS {claims} ERRORS {errors}")
        wanted = wire.recv(64)
        say(f"LIVE {live(wanted)} CONTROL {live(bytes(kept))}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
