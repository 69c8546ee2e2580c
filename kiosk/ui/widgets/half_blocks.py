"""A picture in half-blocks: two pixels to a cell, for terminals that can draw nothing finer."""

from PIL import Image as PillowImage
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

UPPER_HALF = "▀"


class HalfBlocks(Widget):
    """Draws `image` stretched over its cells; black where there is none."""

    DEFAULT_CSS = """
    HalfBlocks { background: black; width: auto; height: auto; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._image: PillowImage.Image | None = None
        self._pixels: PillowImage.Image | None = None

    @property
    def image(self) -> PillowImage.Image | None:
        """What is drawn."""
        return self._image

    @image.setter
    def image(self, image: PillowImage.Image | None) -> None:
        self._image, self._pixels = image, None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Two rows of pixels."""
        width, height = self.size.width, self.size.height
        if self._image is None or not width:
            return Strip.blank(width)
        if self._pixels is None or self._pixels.size != (width, 2 * height):
            scaled = self._image.resize((width, 2 * height), PillowImage.Resampling.BOX)
            self._pixels = scaled.convert("RGB")
        rows = self._pixels.crop((0, 2 * y, width, 2 * y + 2)).tobytes()
        upper, lower = rows[: 3 * width], rows[3 * width :]
        return Strip([_cell(upper[at : at + 3], lower[at : at + 3]) for at in range(0, 3 * width, 3)], width)


def _cell(upper: bytes, lower: bytes) -> Segment:
    return Segment(UPPER_HALF, Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))
