"""What is written around a picture."""

from kiosk.imaging.studies.model import Picture
from kiosk.views.text import joined
from kiosk.views.words import _

NOT_FOR_DIAGNOSIS = _("NOT FOR DIAGNOSIS")


def picture_line(picture: Picture) -> str:
    """The window, and which frame of how many."""
    window = ""
    if picture.window is not None:
        centre, width = picture.window
        window = _("centre {centre:g} width {width:g}").format(centre=centre, width=width)
    frame = ""
    if picture.frames > 1:
        frame = _("frame {frame}/{frames}").format(frame=picture.frame + 1, frames=picture.frames)
    return joined(frame, window)
