"""Keeps pydicom from complaining while it reads what strangers wrote: its warnings and its log quote patients' data."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import RLock

from pydicom import config

_lock = RLock()
_depth = 0
_undo = ExitStack()
_logger = logging.getLogger("pydicom")


def _restore(mode: int, disabled: bool) -> None:
    config.settings.reading_validation_mode = mode
    _logger.disabled = disabled


@contextmanager
def lenient() -> Iterator[None]:
    """While any thread is inside, pydicom neither warns, logs nor refuses a value for its form."""
    global _depth, _undo
    with _lock:
        if _depth == 0:
            with ExitStack() as stack:
                stack.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                stack.callback(_restore, config.settings.reading_validation_mode, _logger.disabled)
                config.settings.reading_validation_mode = config.IGNORE
                _logger.disabled = True
                _undo = stack.pop_all()
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _undo.close()
