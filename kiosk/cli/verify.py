"""`kiosk audit verify`: checking the trail; loads nothing of the kiosk but the trail itself."""

from argparse import Namespace
from pathlib import Path

from kiosk.audit import verify
from kiosk.config.loader import load

BROKEN = 1


def check(options: Namespace) -> int:
    """Checks the whole chain; reads only, so that a copy on another machine verifies like the original."""
    found = verify(Path(options.db) if options.db else load(Path(options.config)).kiosk.trail_path)
    print(found.sentence)
    return 0 if found.whole else BROKEN
