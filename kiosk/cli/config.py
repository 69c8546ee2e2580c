"""`kiosk config`: is the configuration one that `kiosk run` would take?"""

import sys
from argparse import Namespace
from pathlib import Path

from kiosk.access.ladder import complaints
from kiosk.clock import SystemClock
from kiosk.config.loader import load
from kiosk.config.refuse import refusals
from kiosk.operations.neighbours import revocation_complaints

REFUSED = 1


def check(options: Namespace) -> int:
    """Prints what is wrong, or that nothing is."""
    config = load(Path(options.config))
    clock = SystemClock()
    refused = [*refusals(config), *map(str, complaints(config, clock.now)), *revocation_complaints(config, clock.now())]
    for sentence in refused:
        print(f"kiosk run would refuse: {sentence}", file=sys.stderr)
    if not refused:
        print(f"{options.config}: in order.")
    return REFUSED if refused else 0
