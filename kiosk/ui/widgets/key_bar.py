"""The keys that do something here, in the last line; a click on one presses it."""

from rich.cells import cell_len
from rich.segment import Segment
from textual import events, getters
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from kiosk.ui.host import Host


class KeyBar(Widget):
    """One line drawn at once: a widget for each key costs more than all the rest of the screen when the focus moves."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"key-bar--key", "key-bar--words"}  # noqa: RUF012 - Textual's own form
    DEFAULT_CSS = """
    KeyBar {
        height: 1;
        dock: bottom;
        background: $panel;
        .key-bar--key { background: $panel; color: $accent; text-style: bold; }
        .key-bar--words { background: $panel; color: $foreground; }
    }
    """
    app = getters.app(Host)

    def on_mount(self) -> None:
        """Follows the focus: other widgets have other keys."""
        self.screen.bindings_updated_signal.subscribe(self, self._update)

    def _update(self, _screen: Screen[object]) -> None:
        self.refresh()

    def keys(self) -> list[tuple[str, str, str]]:
        """Key, how it is written, what it does; nearest to the focus first."""
        shown: dict[str, tuple[str, str, str]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.description:
                shown.setdefault(binding.action, (binding.key, self.app.get_key_display(binding), binding.description))
        return list(shown.values())

    def render_line(self, y: int) -> Strip:
        """Keys and words."""
        key_style = self.get_component_rich_style("key-bar--key")
        words_style = self.get_component_rich_style("key-bar--words")
        segments = []
        for _key, display, words in self.keys():
            segments.append(Segment(f" {display}", key_style))
            segments.append(Segment(f" {words} ", words_style))
        return Strip(segments).crop_extend(0, self.size.width, words_style)

    def on_click(self, event: events.Click) -> None:
        """Presses the key under the pointer."""
        event.stop()
        left = 0
        for key, display, words in self.keys():
            left += cell_len(display) + cell_len(words) + 3
            if event.x < left:
                self.app.simulate_key(key)
                return
