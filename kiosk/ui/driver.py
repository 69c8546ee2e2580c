"""Where the terminal is drawn, which may be gone at any moment."""

from io import TextIOWrapper
from typing import IO, cast

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver


class Driver(LinuxDriver):
    """Textual's own, whose writer outlives its terminal: who draws waits for it once a few pictures have piled up."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        if self._file is not None:
            self._file = cast("TextIOWrapper", Output(self._file))  # which is used for these four alone


class Output:
    """Writes as long as there is a terminal, and drops the rest."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._is_gone = False

    def write(self, text: str) -> None:
        """Writes it, or does not."""
        if not self._is_gone:
            try:
                self._file.write(text)
            except OSError:
                self._is_gone = True

    def flush(self) -> None:
        """Has it drawn."""
        if not self._is_gone:
            try:
                self._file.flush()
            except OSError:
                self._is_gone = True

    def isatty(self) -> bool:
        """As the file."""
        return self._file.isatty()

    def fileno(self) -> int:
        """As the file."""
        return self._file.fileno()
