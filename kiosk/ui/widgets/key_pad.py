"""Twelve keys for a finger, drawn as one widget: twelve widgets of their own cost a tap half its time to the screen."""

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Offset
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

KEYS = (("1", "2", "3"), ("4", "5", "6"), ("7", "8", "9"), ("back", "0", "enter"))
LABELS = {"back": "⌫", "enter": "OK"}
COLUMNS = len(KEYS[0])
KEY_WIDTH, KEY_HEIGHT = 12, 3
ACROSS, DOWN = KEY_WIDTH + 2, KEY_HEIGHT + 1
"""Cells from one key to the next."""


class KeyPad(Widget):
    """Posts `Pressed` with a digit, "back" or "enter"."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-pad--key", "key-pad--enter", "key-pad--under"}
    DEFAULT_CSS = f"""
    KeyPad {{
        width: {COLUMNS * ACROSS - 2};
        height: {len(KEYS) * DOWN - 1};
    }}
    """

    under: reactive[str] = reactive("", layout=False)

    class Pressed(Message):
        """A key was pressed."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    @staticmethod
    def key_at(offset: Offset) -> str:
        """The key under a cell of the pad; empty between the keys."""
        row, line = divmod(offset.y, DOWN)
        column, cell = divmod(offset.x, ACROSS)
        within = 0 <= row < len(KEYS) and 0 <= column < COLUMNS and line < KEY_HEIGHT and cell < KEY_WIDTH
        return KEYS[row][column] if within else ""

    @staticmethod
    def middle_of(key: str) -> Offset:
        """The cell in the middle of a key; raises ValueError for one that is not there."""
        for row, keys in enumerate(KEYS):
            if key in keys:
                return Offset(keys.index(key) * ACROSS + KEY_WIDTH // 2, row * DOWN + KEY_HEIGHT // 2)
        raise ValueError(key)

    def render_line(self, y: int) -> Strip:
        """One line of the pad."""
        row, line = divmod(y, DOWN)
        gap = Segment(" " * (ACROSS - KEY_WIDTH), self.rich_style)
        if row >= len(KEYS) or line >= KEY_HEIGHT:
            return Strip([Segment(" " * self.size.width, self.rich_style)])
        segments = []
        for key in KEYS[row]:
            label = LABELS.get(key, key) if line == KEY_HEIGHT // 2 else ""
            segments += [Segment(label.center(KEY_WIDTH), self.get_component_rich_style(self._look(key))), gap]
        return Strip(segments[:-1])

    def _look(self, key: str) -> str:
        if key == self.under:
            return "key-pad--under"
        return "key-pad--enter" if key == "enter" else "key-pad--key"

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Lights the key under the pointer."""
        self.under = self.key_at(event.offset)

    def on_leave(self, _event: events.Leave) -> None:
        """No key any more."""
        self.under = ""

    def on_click(self, event: events.Click) -> None:
        """A key was pressed."""
        event.stop()
        if key := self.key_at(event.offset):
            self.post_message(self.Pressed(key))
