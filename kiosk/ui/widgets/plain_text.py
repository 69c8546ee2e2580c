"""The only text widget of the terminal: what it is given is shown as it is, never read as markup."""

from textual.content import Content
from textual.widgets import Static


class PlainText(Static):
    """Static text with markup switched off."""

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(Content(text), id=id, classes=classes, markup=False)

    def show(self, text: str, layout: bool = True) -> None:
        """Replaces the text; nothing is painted when it is the same."""
        content = self.content
        if isinstance(content, Content) and content.plain == text:
            return
        self.update(Content(text), layout=layout)
