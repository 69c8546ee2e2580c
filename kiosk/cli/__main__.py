"""`python -m kiosk.cli`: the `kiosk` command where it is not installed."""

import sys

from kiosk.cli import main

sys.exit(main())
