"""What the drawing libraries remember of the texts they drew, and how it is taken from them."""

import gc
from functools import _lru_cache_wrapper

LIBRARIES = ("rich", "textual", "textual_image")


def forget_drawn_texts() -> None:
    """Empties every cache of rich and textual: widths of names and pieces of lines outlive their screens there."""
    for held in gc.get_objects():
        if type(held) is _lru_cache_wrapper and getattr(held, "__module__", "").split(".")[0] in LIBRARIES:
            held.cache_clear()
