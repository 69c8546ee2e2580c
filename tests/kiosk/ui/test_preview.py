"""The picture: size, aspect, letters, what the terminal can draw."""

from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual_image.widget import SixelImage, TGPImage

from kiosk.imaging.studies.model import Picture
from kiosk.ui.host import Host
from kiosk.ui.theme import NIGHT
from kiosk.ui.widgets.half_blocks import HalfBlocks
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.preview import Preview, fitted, image_widget
from tests import phantoms


class Frame(App[None]):
    """Nothing but a preview."""

    def get_css_variables(self) -> dict[str, str]:
        """Those of the theme."""
        return {**super().get_css_variables(), **NIGHT.variables}

    def compose(self) -> ComposeResult:
        """The preview."""
        yield Preview("halfcell")


def _grey(width: int, height: int, aspect: float = 1.0, value: int = 200) -> Picture:
    return Picture(width, height, "L", bytes([value]) * (width * height), ("R", "L", "A", "P"), aspect)


@pytest.mark.parametrize(("mode", "kind"), [("sixel", SixelImage), ("kitty", TGPImage), ("halfcell", HalfBlocks)])
def test_the_way_of_drawing_can_be_chosen(mode: str, kind: type) -> None:
    assert image_widget(mode) is kind


def test_without_a_terminal_half_blocks_are_drawn() -> None:
    assert image_widget("auto") is HalfBlocks


@pytest.mark.parametrize("aspect", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("width", "height"), [(100, 100), (64, 512), (512, 64), (1, 1)])
def test_a_picture_keeps_its_aspect_within_a_pixel_and_stays_in_its_room(
    width: int, height: int, aspect: float
) -> None:
    columns, lines, canvas = fitted(_grey(width, height, aspect), 60, 30)
    assert columns <= 60
    assert lines <= 30
    box = canvas.getbbox()
    assert box is not None
    drawn_width, drawn_height = box[2] - box[0], box[3] - box[1]
    scale = min(drawn_width / width, drawn_height / (height * aspect))
    assert abs(drawn_width - width * scale) <= 1
    assert abs(drawn_height - height * aspect * scale) <= 1


def test_a_colour_picture_keeps_its_colours() -> None:
    picture = Picture(2, 1, "RGB", bytes([255, 0, 0, 0, 0, 255]))
    _columns, _lines, canvas = fitted(picture, 20, 10)
    box = canvas.getbbox()
    assert box is not None
    assert canvas.getpixel((box[0], (box[1] + box[3]) // 2)) == (255, 0, 0)
    assert canvas.getpixel((box[2] - 1, (box[1] + box[3]) // 2)) == (0, 0, 255)


async def test_letters_and_the_warning_stand_around_the_picture() -> None:
    app = Frame()
    async with app.run_test(size=(60, 30)) as pilot:
        preview = app.query_one(Preview)
        instance = phantoms.instances_of(phantoms.series_of(phantoms.study(0))[1], 3)[1]
        preview.show(phantoms.picture_of(instance, 0), "2/3")
        await pilot.pause()
        image = app.query_one(HalfBlocks).region
        places = {side: app.query_one(f"#{side}", PlainText) for side in ("left", "right", "top", "bottom")}
        assert [str(places[side].content) for side in ("left", "right", "top", "bottom")] == ["R", "L", "A", "P"]
        assert places["left"].region.right <= image.x
        assert places["right"].region.x >= image.right
        assert places["top"].region.bottom <= image.y
        assert places["bottom"].region.y >= image.bottom
        assert str(app.query_one("#warning", PlainText).content) == "NOT FOR DIAGNOSIS"
        assert image.width * 10 >= 0.5 * preview.pixels()[0]


async def test_the_next_picture_of_the_same_size_moves_nothing() -> None:
    app = Frame()
    async with app.run_test(size=(60, 30)) as pilot:
        preview = app.query_one(Preview)
        preview.show(_grey(64, 64), "1/2")
        await pilot.pause()
        before = app.query_one(HalfBlocks).region
        layouts = app.screen._css_update_count, app.screen._layout_required
        preview.show(_grey(64, 64, value=90), "2/2")
        assert (app.screen._css_update_count, app.screen._layout_required) == layouts
        await pilot.pause()
        assert app.query_one(HalfBlocks).region == before


async def test_a_sentence_takes_the_place_of_the_picture() -> None:
    app = Frame()
    async with app.run_test(size=(60, 30)) as pilot:
        preview = app.query_one(Preview)
        preview.show(_grey(64, 64), "1/1")
        await pilot.pause()
        preview.say("This instance cannot be shown.")
        await pilot.pause()
        assert preview.picture is None
        assert app.query_one(HalfBlocks).image is None
        assert app.query_one("#frame").region.area == 0


def test_the_host_and_the_stylesheets_ship_with_the_package() -> None:
    screens = Path(Host.__module__.replace(".", "/")).parent / "screens"
    root = Path(__file__).parents[3]
    for source in (root / screens).glob("*.py"):
        if "CSS_PATH" in source.read_text("utf-8") and source.name != "base.py":
            assert source.with_suffix(".tcss").exists(), source.name
