"""A small PACS on loopback, in a process of its own: `DemoArchive` starts it, `python -m kiosk.demo.archive` is it."""

from kiosk.demo.archive.launch import DemoArchive

__all__ = ["DemoArchive"]
