"""The door to a simulated reader in another process: a UNIX socket, one JSON line in, one JSON line out.

    {"tap": "radiologist", "seconds": 0.5}     {"ok": true}
    {"remove": true}                           {"ok": true}
    {"cards": true}                            {"ok": true, "cards": [{"name": "...", "label": "..."}]}
    anything else                              {"ok": false, "error": "a sentence"}

Whoever may write here can hold any badge of the deck to the reader: mode 0600 in a directory of mode 0700, and the
peer's user is asked of the kernel (SO_PEERCRED): the same one, or root.
"""

import json
import os
import socket
import stat
import struct
import tempfile
import threading
import time
from pathlib import Path

from readers.errors import ReaderError, ReaderSpecError, ReaderUnavailable
from readers.simulated import SimulatedReader
from readers.text import safe_text

LONGEST_LINE = 4096
LONGEST_REPLY = 65_536
CONNECTION_SECONDS = 2.0
ANSWER_SECONDS = 10.0
ACCEPT_SECONDS = 0.5
LONGEST_TAP = 60.0
DEFAULT_TAP = 0.5
CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
NOT_RUNNING = "No simulated reader is running there."
NO_ANSWER = "The simulated reader there does not answer."
NO_SENSE = "The simulated reader gave no sensible answer."
MALFORMED = "Not one of the requests tap, remove, cards."


def default_path() -> Path:
    """Where the control socket lies when nobody says otherwise: this user's own runtime directory."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"imaging-kiosk-{os.getuid()}" / "reader.sock"


class ControlServer:
    """Lets the same user, or root, lay cards on a simulated reader."""

    def __init__(self, path: Path, reader: SimulatedReader) -> None:
        self._path = path
        self._reader = reader
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def path(self) -> Path:
        """The socket's path."""
        return self._path

    def start(self) -> None:
        """Makes the directory and the socket and listens in a thread; raises ReaderSpecError, or ReaderUnavailable."""
        _make_private_directory(self._path.parent)
        _clear_the_way(self._path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(self._path))
            self._path.chmod(0o600)
            listener.listen(4)
        except OSError as error:
            listener.close()
            raise ReaderSpecError(f"The control socket cannot be made: {error}") from None
        listener.settimeout(ACCEPT_SECONDS)
        self._socket = listener
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="reader-control", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops listening and takes the socket away; never raises."""
        listener, self._socket = self._socket, None
        if listener is None:
            return
        self._wake()
        if self._thread is not None:
            self._thread.join(ACCEPT_SECONDS + CONNECTION_SECONDS + 1.0)
            self._thread = None
        listener.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> "ControlServer":
        self.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.stop()

    def _wake(self) -> None:
        """Knocks at the own door: closing a socket does not end an `accept` in another thread."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
            knock.settimeout(ACCEPT_SECONDS)
            try:
                knock.connect(str(self._path))
            except OSError:
                return  # somebody took the socket away; the thread ends after its next timeout

    def _serve(self, listener: socket.socket) -> None:
        while self._socket is listener:
            try:
                connection, _address = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with connection:
                try:
                    self._converse(connection)
                except OSError:
                    continue

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(CONNECTION_SECONDS)
        line = _receive_line(connection, LONGEST_LINE, CONNECTION_SECONDS)
        reply: dict[str, object]
        try:
            if not is_allowed(peer_user(connection)):
                raise ReaderError("Another user may not use this reader.")
            reply = self._perform(json.loads(line))
        except (ValueError, RecursionError):
            reply = {"ok": False, "error": MALFORMED}
        except ReaderError as error:
            reply = {"ok": False, "error": str(error)}
        _send(connection, reply)

    def _perform(self, request: object) -> dict[str, object]:
        match request:
            case {"tap": str(name), **rest} if set(rest) <= {"seconds"}:
                self._reader.insert(name, _seconds(rest.get("seconds", DEFAULT_TAP)))
                return {"ok": True}
            case {"remove": True, **rest} if not rest:
                self._reader.remove()
                return {"ok": True}
            case {"cards": True, **rest} if not rest:
                deck = self._reader.deck
                return {"ok": True, "cards": [{"name": name, "label": deck.label(name)} for name in deck]}
        raise ReaderError(MALFORMED)


def tap(path: Path, name: str, seconds: float = DEFAULT_TAP, timeout: float = ANSWER_SECONDS) -> None:
    """Holds the card of that name to the running reader; raises ReaderUnavailable, or ReaderError with the reason."""
    _ask(path, {"tap": name, "seconds": seconds}, timeout)


def remove(path: Path, timeout: float = ANSWER_SECONDS) -> None:
    """Takes the card away from the running reader; raises as `tap` does."""
    _ask(path, {"remove": True}, timeout)


def cards(path: Path, timeout: float = ANSWER_SECONDS) -> tuple[tuple[str, str], ...]:
    """Name and label of each card of the running reader; raises as `tap` does."""
    return _listed(_ask(path, {"cards": True}, timeout))


def peer_user(connection: socket.socket) -> int:
    """The user id at the other end of a connected UNIX socket (unix(7), SO_PEERCRED)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    user: int = CREDENTIALS.unpack(raw)[1]
    return user


def is_allowed(user: int) -> bool:
    """True for root and for the user this process runs as."""
    return user in (0, os.getuid())


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_TAP:
        raise ReaderError(f"A tap lasts more than 0 and up to {LONGEST_TAP:.0f} seconds")
    return float(value)


def _make_private_directory(directory: Path) -> None:
    """Mode 0700, ours. One that others may enter is refused, not changed: it may be somebody's home, or /tmp."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        raise ReaderSpecError(f"The control socket's directory cannot be made: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise ReaderSpecError(f"The control socket's directory must be yours alone: chmod 700 {directory}")


def _clear_the_way(path: Path) -> None:
    """Removes a socket nobody listens on; raises ReaderUnavailable where somebody does, ReaderSpecError for a file."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ReaderSpecError(f"{path} is in the way and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECTION_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass
    raise ReaderUnavailable("Another simulated reader is running there.")


def _listed(reply: dict[str, object]) -> tuple[tuple[str, str], ...]:
    cards = reply.get("cards")
    if not isinstance(cards, list) or not all(isinstance(card, dict) for card in cards):
        raise ReaderError(NO_SENSE)
    return tuple((safe_text(str(card.get("name"))), safe_text(str(card.get("label")))) for card in cards)


def _ask(path: Path, request: dict[str, object], timeout: float) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            _send(connection, request)
            line = _receive_line(connection, LONGEST_REPLY, timeout)
        except TimeoutError:
            raise ReaderUnavailable(NO_ANSWER) from None
        except OSError:
            raise ReaderUnavailable(NOT_RUNNING) from None
    return _agreed(line)


def _agreed(line: bytes) -> dict[str, object]:
    """The answer, where it is a yes; raises ReaderError with the reason given, or where it makes no sense."""
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError):
        raise ReaderError(NO_SENSE) from None
    if not isinstance(reply, dict) or reply.get("ok") is not True:
        error = reply.get("error") if isinstance(reply, dict) else None
        raise ReaderError(safe_text(error) if isinstance(error, str) else MALFORMED)
    return reply


def _send(connection: socket.socket, message: dict[str, object]) -> None:
    connection.sendall(json.dumps(message).encode("utf-8") + b"\n")


def _receive_line(connection: socket.socket, longest: int, timeout: float) -> bytes:
    """One line within `timeout` seconds in all, however slowly it drips; raises OSError."""
    deadline = time.monotonic() + timeout
    line = b""
    while b"\n" not in line:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        part = connection.recv(4096)
        if not part or len(line) + len(part) > longest:
            raise ConnectionError("No whole line came")
        line += part
    return line.partition(b"\n")[0]
