"""A question that somebody answers at the terminal before a command goes on."""

import sys

YES = frozenset({"y", "yes"})


def agreed(question: str) -> bool:
    """Asks on standard error; anything but a yes is a no, and so is the end of the input."""
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in YES
