"""`python -m kiosk.imaging.worker`: the imaging worker process."""

from kiosk.imaging.worker.server import main

main()
