"""From a specification such as "pcsc:ACR1252*" to a reader. A backend is imported only when it is named."""

import importlib
from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import cast

from readers.errors import ReaderSpecError
from readers.reader import Reader
from readers.text import safe_text

GROUP = "readers.backends"
BUILT_IN = {
    "nfcpy": "readers.nfcpy:open_spec",
    "pcsc": "readers.pcsc:open_spec",
    "simulated": "readers.simulated:open_spec",
}

NOT_THERE_YET = {
    "osdp": "Readers on an OSDP line cannot be used yet: nothing here speaks OSDP. "
    "What a backend would have to do is written in readers/wall_reader.py.",
    "wiegand": "Readers on a Wiegand line cannot be used yet: nothing here takes its pulses. "
    "What a backend would have to do is written in readers/wall_reader.py.",
}
"""Backends that people ask for by these names; another distribution may bring one under the same name."""

OpenSpec = Callable[[str], Reader]


def backends() -> dict[str, str]:
    """Names of backends and where each is: the built-in ones and what other distributions declare."""
    return BUILT_IN | {point.name: point.value for point in entry_points(group=GROUP)}


def open_reader(spec: str) -> Reader:
    """The reader that `spec` names ("backend" or "backend:argument"), not yet opened; raises ReaderSpecError."""
    name, _, argument = spec.partition(":")
    known = backends()
    if name not in known and name in NOT_THERE_YET:
        raise ReaderSpecError(NOT_THERE_YET[name])
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.0)[0]
        there_are = ", ".join(sorted(known))
        raise ReaderSpecError(
            f'There is no reader backend "{safe_text(name, 40)}"; did you mean "{near}"? There are: {there_are}.'
        )
    return _load(name, known[name])(argument)


def _load(name: str, place: str) -> OpenSpec:
    module, _, attribute = place.partition(":")
    try:
        return cast(OpenSpec, getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise ReaderSpecError(f'The reader backend "{name}" cannot be loaded: {safe_text(str(error))}') from error
