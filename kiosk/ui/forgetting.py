"""What the drawing libraries remember of the texts they drew, and how it is taken from them."""

import sys
from collections.abc import Iterator
from functools import _lru_cache_wrapper
from typing import Any

LIBRARIES = ("rich", "textual", "textual_image")


def forget_drawn_texts() -> None:
    """Empties every cache of rich and textual: widths of names and pieces of lines outlive their screens there."""
    for cache in caches():
        cache.cache_clear()


def caches() -> Iterator["_lru_cache_wrapper[Any]"]:
    """The `lru_cache` of each function and method of the drawing libraries.

    Found through their modules: `gc.get_objects()` would hand out tuples that another thread is still filling, which
    ends that thread with a SystemError.
    """
    for name, module in tuple(sys.modules.items()):
        if name.partition(".")[0] in LIBRARIES and module is not None:
            yield from _in(module, name)


def _in(holder: object, module_name: str) -> Iterator["_lru_cache_wrapper[Any]"]:
    for value in tuple(vars(holder).values()):
        found = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if type(found) is _lru_cache_wrapper:
            yield found
        elif isinstance(value, type) and value is not holder and value.__module__ == module_name:
            yield from _in(value, module_name)
