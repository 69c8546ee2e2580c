"""Writes a configuration as TOML text that `load` reads back to the same value."""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from kiosk.config.model import KioskConfig
from kiosk.config.section import Section


def dump(config: KioskConfig, folder: Path | None = None) -> str:
    """Every setting, defaults too, in the order of the model; paths below `folder`, the file's place, are relative."""
    blocks: list[str] = []
    for item in fields(config):
        value = getattr(config, item.name)
        if isinstance(value, Section):
            blocks += _tables(item.name, value, folder)
        else:
            blocks += [f"[[{item.name}]]\n{_lines(entry, folder)}" for entry in value]
    return "\n".join(blocks)


def _tables(name: str, section: Section, folder: Path | None) -> Iterator[str]:
    """The table, and after it those inside it."""
    yield f"[{name}]\n{_lines(section, folder)}"
    for item in fields(section):
        inner = getattr(section, item.name)
        if isinstance(inner, Section):
            yield from _tables(f"{name}.{item.name}", inner, folder)
        elif _is_list_of_tables(inner):
            yield from (f"[[{name}.{item.name}]]\n{_lines(entry, folder)}" for entry in inner)


def _lines(section: Section, folder: Path | None) -> str:
    values = ((item.name, getattr(section, item.name)) for item in fields(section))
    plain = (
        (name, value) for name, value in values if not isinstance(value, Section) and not _is_list_of_tables(value)
    )
    return "".join(f"{name} = {_literal(value, folder)}\n" for name, value in plain)


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, tuple) and any(isinstance(entry, Section) for entry in value)


def _literal(value: object, folder: Path | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_literal(item, folder) for item in value) + "]"
    if isinstance(value, Path):
        within = folder is not None and value.is_relative_to(folder)
        return _literal(str(value.relative_to(folder) if within and folder else value.absolute()), folder)
    if value is None:
        return '""'
    # JSON's string is TOML's basic string for printable text, and the model holds no other
    return json.dumps(str(value), ensure_ascii=False)
