"""The ladder with every scheme there is."""

import time
from collections.abc import Callable

from readers.credentials.claim import NonceSource
from readers.credentials.iso14443 import UidScheme
from readers.credentials.keys import RandomNonceSource
from readers.credentials.ladder import Ladder
from readers.credentials.pkoc import PkocScheme


def standard_ladder(nonces: NonceSource | None = None, monotonic: Callable[[], float] = time.monotonic) -> Ladder:
    """Every scheme, strongest first; challenges come from `nonces`, by default from randomness alone."""
    return Ladder((PkocScheme(nonces or RandomNonceSource(), monotonic), UidScheme()), monotonic)
