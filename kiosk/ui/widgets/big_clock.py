"""The time of day in digits that can be read across the room."""

from datetime import datetime

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from kiosk.views.dates import clock_face

_DIGITS = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": ("## ", " # ", " # ", " # ", "###"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", "###", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", "  #", "  #", "  #"),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
    ":": (" ", "#", " ", "#", " "),
}
WIDE, HIGH = 4, 2


def big_digits(text: str, wide: int = WIDE, high: int = HIGH) -> str:
    """Each dot of a 3 by 5 digit drawn `wide` cells wide and `high` lines high."""
    lines = []
    for row in range(5):
        dots = " ".join(_DIGITS[character][row] for character in text)
        line = "".join(("█" if dot == "#" else " ") * wide for dot in dots)
        lines.extend([line] * high)
    return "\n".join(lines)


class BigClock(Widget):
    """Hours and minutes; smaller where there is little room."""

    DEFAULT_CSS = """
    BigClock { width: 1fr; height: 10; text-align: center; color: $primary; content-align: center middle; }
    """
    face: reactive[str] = reactive("")

    def show(self, now: datetime) -> None:
        """Shows that local time."""
        self.face = clock_face(now)

    def render(self) -> RenderResult:
        """The digits."""
        if not self.face:
            return Content("")
        room = self.size.width >= 80 and self.size.height >= 5 * HIGH
        return Content(big_digits(self.face) if room else big_digits(self.face, 2, 1))
