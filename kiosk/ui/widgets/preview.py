"""The picture of the selected instance: the only file that knows textual-image.

Importing it asks the terminal what it can draw, so it must be imported in the main thread before the app runs.
"""

from math import ceil

from PIL import Image as PillowImage
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual_image._terminal import get_cell_size  # the size that the image widgets themselves reckon with
from textual_image.renderable import Image as TerminalsBest
from textual_image.renderable import SixelImage as SixelRenderable
from textual_image.renderable import TGPImage as KittyRenderable
from textual_image.widget import SixelImage, TGPImage

from kiosk.imaging.studies.model import Picture
from kiosk.ui.widgets.half_blocks import HalfBlocks
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.views.picture import NOT_FOR_DIAGNOSIS, picture_line
from kiosk.views.text import joined, one_line

ImageWidget = HalfBlocks | SixelImage | TGPImage

IMAGE_MODES = ("auto", "sixel", "kitty", "halfcell")
LETTER_CELLS = 3
TEXT_LINES = 5


def image_widget(mode: str) -> type[ImageWidget]:
    """The widget for one of IMAGE_MODES; "auto" is what the terminal says it can draw, else half-blocks."""
    if mode == "sixel" or (mode == "auto" and TerminalsBest is SixelRenderable):
        return SixelImage
    if mode == "kitty" or (mode == "auto" and TerminalsBest is KittyRenderable):
        return TGPImage
    return HalfBlocks


class Preview(Vertical):
    """A picture with orientation letters at its edges, window and warning below; or a sentence in its place."""

    DEFAULT_CSS = """
    Preview {
        background: black;
        color: $foreground;
        align: center middle;
        #middle { width: 1fr; height: auto; align: center middle; }
        #sentence { width: 1fr; height: auto; text-align: center; color: $muted; padding: 1 2; }
        .letter { width: 3; height: 100%; content-align: center middle; color: $accent; text-style: bold; }
        #top, #bottom { width: 1fr; height: 1; }
        #about { width: 1fr; height: 2; text-align: center; color: $foreground; }
        #warning { width: 1fr; height: 1; text-align: center; color: $warning; text-style: bold; }
        &.-empty #frame { display: none; }
        &.-shown #sentence { display: none; }
        #frame { width: 1fr; height: auto; align: center middle; }
    }
    """

    def __init__(self, mode: str, id: str | None = None) -> None:
        super().__init__(id=id, classes="-empty")
        self._image: ImageWidget = image_widget(mode)(id="image")
        self._picture: Picture | None = None

    def compose(self) -> ComposeResult:
        """Letters around the image; the words below."""
        yield PlainText(id="sentence")
        with Vertical(id="frame"):
            yield PlainText(id="top", classes="letter")
            with Horizontal(id="middle"):
                yield PlainText(id="left", classes="letter")
                yield self._image
                yield PlainText(id="right", classes="letter")
            yield PlainText(id="bottom", classes="letter")
            yield PlainText(id="about")
            yield PlainText(NOT_FOR_DIAGNOSIS, id="warning")

    @property
    def picture(self) -> Picture | None:
        """What is drawn."""
        return self._picture

    def pixels(self) -> tuple[int, int]:
        """Width and height, in pixels of the terminal, that a picture may fill here."""
        cell = get_cell_size()
        columns, lines = self._room()
        return columns * cell.width, lines * cell.height

    def describe(self, about: str) -> None:
        """Says of which instance the picture is; its place in the series changes while the series arrives."""
        if self._picture is not None:
            said = joined(one_line(about), picture_line(self._picture))
            self.query_one("#about", PlainText).show(said, layout=False)

    def show(self, picture: Picture, about: str) -> None:
        """Draws the picture; `about` says of which instance it is."""
        self._picture = picture
        left, right, top, bottom = (one_line(letter) for letter in picture.letters)
        for place, letter in (("left", left), ("right", right), ("top", top), ("bottom", bottom)):
            self.query_one(f"#{place}", PlainText).show(letter, layout=False)
        self.describe(about)
        self._draw()
        self.remove_class("-empty")
        self.add_class("-shown")

    def say(self, sentence: str) -> None:
        """Takes the picture off and says why there is none."""
        self._picture = None
        self.query_one("#sentence", PlainText).show(one_line(sentence))
        self.query_one("#about", PlainText).show("")
        self._swap(None)
        self.remove_class("-shown")
        self.add_class("-empty")

    class Pointed(Message):
        """Somebody clicked the picture: `x` and `y` are shares of its width and height, from its left upper corner."""

        def __init__(self, x: float, y: float) -> None:
            super().__init__()
            self.x = x
            self.y = y

    def on_click(self, event: events.Click) -> None:
        """Says where in the picture that was."""
        region = self._image.region
        if self._picture is not None and region.contains(event.screen_x, event.screen_y):
            x = (event.screen_x - region.x + 0.5) / region.width
            y = (event.screen_y - region.y + 0.5) / region.height
            self.post_message(self.Pointed(x, y))

    def on_resize(self, _event: events.Resize) -> None:
        """Fits the picture into the new room."""
        if self._picture is not None:
            self._draw()

    def on_unmount(self) -> None:
        """Lets go of the pixels, the terminal's own copy included."""
        self._picture = None
        if isinstance(self._image, TGPImage):
            self._image.image = None

    def _room(self) -> tuple[int, int]:
        return max(4, self.size.width - 2 * LETTER_CELLS), max(2, self.size.height - TEXT_LINES)

    def _draw(self) -> None:
        if self._picture is None:
            return
        columns, lines, canvas = fitted(self._picture, *self._room())
        # Set only when they change: a new style lays the whole screen out again.
        if (self._image.size.width, self._image.size.height) != (columns, lines):
            self._image.styles.width, self._image.styles.height = columns, lines
        self._swap(canvas)

    def _swap(self, canvas: PillowImage.Image | None) -> None:
        if not isinstance(self._image, SixelImage):
            self._image.image = canvas
            return
        # The setter of a SixelImage mounts a new child each time, and the terminal is blank for a moment.
        for child in self._image.children:
            child.image = canvas  # type: ignore[attr-defined]  # textual-image's inner widget has no public type
            child.refresh()


def fitted(picture: Picture, columns: int, lines: int) -> tuple[int, int, PillowImage.Image]:
    """The picture as large as it fits into so many cells with its true aspect, on black that fills whole cells."""
    cell = get_cell_size()
    image = PillowImage.frombytes(picture.mode, (picture.width, picture.height), picture.pixels)
    tall = picture.height * picture.aspect
    scale = min(columns * cell.width / picture.width, lines * cell.height / tall)
    width, height = max(1, round(picture.width * scale)), max(1, round(tall * scale))
    wide_cells, high_cells = min(columns, ceil(width / cell.width)), min(lines, ceil(height / cell.height))
    canvas = PillowImage.new(picture.mode, (wide_cells * cell.width, high_cells * cell.height))
    image = image.resize((width, height), PillowImage.Resampling.BILINEAR)
    canvas.paste(image, ((canvas.width - width) // 2, (canvas.height - height) // 2))
    return wide_cells, high_cells, canvas
