"""What a fuzzer is pointed at, and how it learns that something is wrong."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


class Broken(AssertionError):
    """Something that must hold for every input did not."""


@dataclass(frozen=True)
class Target:
    """`check` takes any bytes; whatever it raises is a finding. `seeds` are inputs to start from."""

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]


def require(holds: bool, otherwise: str) -> None:
    """Raises Broken where it does not hold."""
    if not holds:
        raise Broken(otherwise)
