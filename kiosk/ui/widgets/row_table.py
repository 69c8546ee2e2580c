"""A table of any number of rows that draws only the lines on the screen and keeps no text of its own."""

from collections.abc import Callable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kiosk.views.columns import Column, SortOrder
from kiosk.views.text import one_line
from kiosk.views.words import _

GAP = 2
Cells = Callable[[str], tuple[str, ...]]


class RowTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows are keys; `cells(key)` is asked for the text of those in view. One click opens a row.

    With `markable`, Space or a click on a row's box marks it. Without `opens_on_click` a click moves the cursor only.
    """

    BINDINGS = [  # noqa: RUF012 - Textual's own form
        Binding("up", "move(-1)", _("Up"), show=False, id="row-up"),
        Binding("down", "move(1)", _("Down"), show=False, id="row-down"),
        Binding("pageup", "page(-1)", _("Page up"), show=False, id="row-page-up"),
        Binding("pagedown", "page(1)", _("Page down"), show=False, id="row-page-down"),
        Binding("home", "edge(-1)", _("First"), show=False, id="row-first"),
        Binding("end", "edge(1)", _("Last"), show=False, id="row-last"),
        Binding("enter", "open", _("Open"), id="row-open"),
        Binding("space", "mark", _("Select"), id="row-mark"),
    ]
    COMPONENT_CLASSES = {  # noqa: RUF012 - Textual's own form
        "row-table--header",
        "row-table--row",
        "row-table--cursor",
        "row-table--cursor-blurred",
        "row-table--marked",
    }
    DEFAULT_CSS = """
    RowTable {
        background: $surface;
        height: 1fr;
        overflow-x: auto;
        overflow-y: auto;
        .row-table--header { background: $panel; color: $accent; text-style: bold; }
        .row-table--row { background: $surface; color: $foreground; }
        .row-table--cursor { background: $primary; color: $background; text-style: bold; }
        .row-table--cursor-blurred { background: $raised; color: $foreground; }
        .row-table--marked { background: $surface; color: $accent; text-style: bold; }
    }
    """

    class Told(Message):
        """What the table tells; `key` is None when it is empty."""

        def __init__(self, table: "RowTable", key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> "RowTable":
            """The table, for selectors."""
            return self.table

    class Highlighted(Told):
        """The cursor stands on another row."""

    class Opened(Told):
        """A row was opened by Enter or a click."""

    class Marked(Told):
        """A row was marked or unmarked."""

    class HeaderPressed(Told):
        """A column's header was clicked; `key` names the column."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        id: str | None = None,
        markable: bool = False,
        openable: bool = True,
        opens_on_click: bool = True,
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.markable = markable
        self.marks: frozenset[str] = frozenset()
        self._openable = openable
        self._opens_on_click = openable and opens_on_click
        self._order: SortOrder | None = None
        self._keys: Sequence[str] = ()
        self._cells: Cells = lambda _key: ()
        self._cursor = 0
        self._was_moved = False

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self._keys)

    @property
    def keys(self) -> tuple[str, ...]:
        """The rows' keys, from the top."""
        return tuple(self._keys)

    @property
    def cursor_key(self) -> str | None:
        """The row under the cursor."""
        return self._keys[self._cursor] if self._cursor < len(self._keys) else None

    @property
    def cursor_index(self) -> int:
        """The place of the cursor, from 0."""
        return self._cursor

    def show(self, keys: Sequence[str], cells: Cells, order: SortOrder | None = None) -> None:
        """Puts these rows on. The cursor stays with its row once somebody has moved it, else on the first."""
        before = self.cursor_key
        self._keys, self._cells, self._order = keys, cells, order
        if self._was_moved and before is not None and before in keys:
            self._cursor = keys.index(before)
        else:
            self._cursor = min(self._cursor, max(0, len(keys) - 1)) if self._was_moved else 0
        if self.marks:
            self.marks &= frozenset(keys)
        self._resize()
        self.refresh()
        if self.cursor_key != before:
            self.post_message(self.Highlighted(self, self.cursor_key))

    def clear(self) -> None:
        """Takes every row off and forgets them."""
        self.marks = frozenset()
        self._was_moved = False
        self.show((), lambda _key: ())
        self.scroll_to(0, 0, animate=False)

    def move_to(self, index: int) -> None:
        """Puts the cursor on that row and brings it into view."""
        if not self._keys:
            return
        index = max(0, min(index, len(self._keys) - 1))
        self._was_moved = True
        if index != self._cursor:
            self._cursor = index
            self.post_message(self.Highlighted(self, self.cursor_key))
        page = self._page()
        top = round(self.scroll_y)
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + page:
            self.scroll_to(y=index - page + 1, animate=False)
        self.refresh()

    def mark(self, key: str) -> None:
        """Marks the row, or takes the mark off."""
        self.marks ^= {key}
        self.refresh()
        self.post_message(self.Marked(self, key))

    def render_line(self, y: int) -> Strip:
        """The header, or the row that stands at this line."""
        widths = self._widths()
        scroll_x = round(self.scroll_x)
        width = self.size.width
        if y == 0:
            texts = tuple(self._title(column) for column in self.columns)
            strip = self._strip("", texts, widths, self.get_component_rich_style("row-table--header"))
            return strip.crop_extend(scroll_x, scroll_x + width, self.get_component_rich_style("row-table--header"))
        index = round(self.scroll_y) + y - 1
        if index >= len(self._keys):
            return Strip.blank(width, self.get_component_rich_style("row-table--row"))
        key = self._keys[index]
        name = "row"
        if index == self._cursor:
            name = "cursor" if self.has_focus else "cursor-blurred"
        elif key in self.marks:
            name = "marked"
        style = self.get_component_rich_style(f"row-table--{name}")
        box = "■ " if key in self.marks else "□ "
        return self._strip(box, self._cells(key), widths, style).crop_extend(scroll_x, scroll_x + width, style)

    def _strip(self, box: str, texts: Sequence[str], widths: Sequence[int], style: Style) -> Strip:
        parts = [" ", (box or "  ") if self.markable else ""]
        for column, text, width in zip(self.columns, texts, widths, strict=False):
            parts.append(_fit(text, width, column.right))
            parts.append(" " * GAP)
        line = "".join(parts)
        return Strip([Segment(line, style)], cell_len(line))

    def _title(self, column: Column) -> str:
        if self._order is None or self._order.column != column.key:
            return column.title
        return f"{column.title}{'▼' if self._order.descending else '▲'}"

    def _lead(self) -> int:
        return 3 if self.markable else 1

    def _widths(self) -> list[int]:
        widths = [column.width for column in self.columns]
        weights = [column.weight for column in self.columns]
        spare = self.scrollable_content_region.width - self._lead() - sum(widths) - GAP * len(widths)
        total = sum(weights)
        if spare > 0 and total:
            shared = [spare * weight // total for weight in weights]
            shared[weights.index(max(weights))] += spare - sum(shared)
            widths = [width + share for width, share in zip(widths, shared, strict=True)]
        return widths

    def _resize(self) -> None:
        width = self._lead() + sum(column.width + GAP for column in self.columns)
        self.virtual_size = Size(max(width, self.scrollable_content_region.width), len(self._keys) + 1)

    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height - 1)

    def on_resize(self) -> None:
        """Gives the columns their share of the new width and keeps the cursor in view."""
        self._resize()
        self.refresh()

    def on_focus(self) -> None:
        """The cursor is drawn bright."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor is drawn dim."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A header sorts, a box marks, a row opens: one click each."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        event.stop()
        x = offset.x + round(self.scroll_x)
        if offset.y == 0:
            self._press_header(x)
            return
        index = round(self.scroll_y) + offset.y - 1
        if index >= len(self._keys):
            return
        self.move_to(index)
        if self.markable and x < self._lead():
            self.mark(self._keys[index])
        elif self._opens_on_click:
            self.post_message(self.Opened(self, self._keys[index]))

    def _press_header(self, x: int) -> None:
        left = self._lead()
        for column, width in zip(self.columns, self._widths(), strict=True):
            if left <= x < left + width + GAP:
                self.post_message(self.HeaderPressed(self, column.key))
                return
            left += width + GAP

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Marking and opening are offered where they mean something."""
        return {"mark": self.markable, "open": self._openable}.get(action, True)

    def action_move(self, rows: int) -> None:
        """Moves the cursor."""
        self.move_to(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Moves the cursor by what fits on the screen."""
        self.move_to(self._cursor + pages * self._page())

    def action_edge(self, way: int) -> None:
        """Moves the cursor to the first or the last row."""
        self.move_to(0 if way < 0 else len(self._keys) - 1)

    def action_open(self) -> None:
        """Opens the row under the cursor."""
        if self.cursor_key is not None:
            self.post_message(self.Opened(self, self.cursor_key))

    def action_mark(self) -> None:
        """Marks the row under the cursor and goes on to the next."""
        if self.cursor_key is not None:
            self.mark(self.cursor_key)
            self.move_to(self._cursor + 1)


def _fit(text: str, width: int, right: bool) -> str:
    indent = len(text) - len(text.lstrip(" "))
    text = " " * indent + one_line(text)
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - length) + text if right else text + " " * (width - length)
