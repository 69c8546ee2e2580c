"""The least that Textual can show: a label; with `--clock`, one that is written anew every second."""

import sys
import time

from textual.app import App, ComposeResult
from textual.widgets import Label

READY = "Nothing but a label"


class Least(App[None]):
    """One label."""

    def compose(self) -> ComposeResult:
        """The label."""
        yield Label(READY)

    def on_mount(self) -> None:
        """Starts the clock where there is to be one."""
        if "--clock" in sys.argv[1:]:
            self.set_interval(1.0, self._tick)

    def _tick(self) -> None:
        self.query_one(Label).update(time.strftime("%H:%M:%S"))


if __name__ == "__main__":
    Least().run()
