"""`kiosk tap`: lays a virtual card on a running simulated reader."""

from argparse import Namespace
from pathlib import Path

from readers.control import cards, default_path, tap


def run(options: Namespace) -> int:
    """Taps, or lists the cards for "?"."""
    path = Path(options.socket) if options.socket else default_path()
    if options.card == "?":
        for name, label in cards(path):
            print(f"{name}  {label}")
        return 0
    tap(path, options.card, options.seconds)
    return 0
