"""`kiosk demo`: the whole kiosk on one machine, with nothing real in it."""

import sys
from argparse import Namespace

from kiosk.cli.front_end import front_end
from kiosk.demo.archive import DemoArchive


def run(options: Namespace) -> int:
    """Starts the archive's process first: it gets ready while this one loads the rest."""
    print("Starting the demo.", file=sys.stderr, flush=True)
    pacs = DemoArchive(odd=options.odd)
    pacs.launch()
    try:
        show = None if options.check else front_end(plain=options.plain)
        from kiosk.cli.demo_session import run_session  # everything else, a second's worth of modules

        return run_session(options, pacs, show)
    finally:
        pacs.close()
