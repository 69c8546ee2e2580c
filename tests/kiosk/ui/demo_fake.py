"""The terminal on FakeOperations, to be looked at: python -m tests.kiosk.ui.demo_fake [--image MODE] [--rows N]."""

import argparse
import logging
import sys
import threading
import time

from kiosk.operations.facts import FailedInstance, TimeLeft
from kiosk.ui.app import run
from tests import phantoms
from tests.fakes import FakeOperations, Script


def live(fake: FakeOperations) -> None:
    """Lets time and transfers pass."""
    left = 300
    while True:
        time.sleep(0.5)
        session = fake.session
        if session is None:
            left = 300
            continue
        left -= 1
        fake.post(TimeLeft(session.session_id, max(0, left), 8 * 3600 - 300 + left))
        for job_id, (_request, progress) in tuple(fake.jobs.items()):
            if not progress.state.is_final:
                last = progress.instances_done + 3 >= progress.instances_total
                bad = (FailedInstance("1.2.826.0.1.3680043.10.999.3.2", "out of resources (A700)"),) if last else ()
                done = progress.instances_total - 1 if last else progress.instances_done + 3
                fake.advance(job_id, done, bad)


def main() -> int:
    """Reads the arguments and runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", default="auto")
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--delay", type=float, default=0.002)
    arguments = parser.parse_args()
    studies = [phantoms.hostile_study()] if arguments.hostile else []
    script = Script(studies + phantoms.studies(arguments.rows), row_delay=arguments.delay, instance_delay=0.01)
    fake = FakeOperations(script)
    threading.Thread(target=live, args=(fake,), daemon=True).start()
    logging.basicConfig(level=logging.ERROR)
    return run(fake, image_mode=arguments.image)


if __name__ == "__main__":
    sys.exit(main())
