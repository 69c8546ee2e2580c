"""`kiosk demo`: the whole kiosk on one machine, with nothing real in it."""

import sys
from argparse import Namespace

from kiosk.demo.archive import DemoArchive


def run(options: Namespace) -> int:
    """Starts the archive's process first: it gets ready while this one loads the rest."""
    print("Starting the demo.", file=sys.stderr, flush=True)
    pacs = DemoArchive()
    pacs.launch()
    try:
        from kiosk.cli.demo_session import run_session  # everything else, a second's worth of modules

        return run_session(options, pacs)
    finally:
        pacs.close()
