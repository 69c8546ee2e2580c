"""The worker's side: answers calls, each on a thread of its own, until its socket ends."""

import argparse
import gc
import importlib
import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from threading import Event, Lock, Thread
from typing import Any, Final

from kiosk.errors import Cancelled, ImagingError, KioskError, UnreadableObject
from kiosk.imaging.worker.limits import confine
from kiosk.imaging.worker.requests import REQUESTS, Request
from kiosk.imaging.worker.wire import Channel, Frame, Kind, decode_value, failure, frame

Calls = Mapping[type[Request], Callable[[Any, Event], object]]

# Imported by name so that a lane holds only what its calls need: pydicom and numpy cost half a second and 60 MB.
LANES: Final = {
    "network": "kiosk.imaging.worker.network_calls",
    "reading": "kiosk.imaging.worker.reading_calls",
}


class Server:
    """Reads frames until the other side is gone."""

    def __init__(self, channel: Channel, calls: Calls) -> None:
        self._channel = channel
        self._calls = calls
        self._lock = Lock()
        self._running: dict[int, Event] = {}

    def run(self) -> None:
        """Serves; returns when the kiosk closed the socket or is gone, with every call cancelled."""
        while (received := self._channel.read()) is not None:
            if received.kind is Kind.CALL:
                self._start(received)
            elif received.kind is Kind.CANCEL:
                with self._lock:
                    running = self._running.get(received.call)
                if running is not None:
                    running.set()
        with self._lock:
            for running in self._running.values():
                running.set()

    def _start(self, received: Frame) -> None:
        cancel = Event()
        with self._lock:
            self._running[received.call] = cancel
        try:
            Thread(target=self._serve, args=(received, cancel), name=received.name, daemon=True).start()
        except RuntimeError:
            self._end(failure(received.call, ImagingError("The imaging worker has too much to do.")))

    def _serve(self, received: Frame, cancel: Event) -> None:
        try:
            self._end(frame(Kind.RESULT, received.call, self._answer(received, cancel)))
        except KioskError as error:
            self._end(failure(received.call, error))
        except (MemoryError, RecursionError):
            self._end(failure(received.call, UnreadableObject("The object needs more memory than it may take.")))
        except OSError as error:
            self._end(failure(received.call, ImagingError(f"The imaging worker failed: {error.strerror}.")))
        except Exception as error:  # the border of the process: what a file provokes must end as a sentence
            # The text of the error stays here: it may quote the object.
            self._end(failure(received.call, UnreadableObject(f"The object cannot be read ({type(error).__name__}).")))

    def _answer(self, received: Frame, cancel: Event) -> object:
        kind = REQUESTS.get(received.name)
        handler = self._calls.get(kind) if kind is not None else None
        if kind is None or handler is None:
            raise ImagingError("The imaging worker does not do that.")
        value = handler(decode_value(received, kind), cancel)
        if not isinstance(value, Iterator):
            return value
        while True:
            try:
                item = next(value)
            except StopIteration as stop:
                return stop.value
            if cancel.is_set():
                raise Cancelled
            self._channel.write(frame(Kind.ITEM, received.call, item))

    def _end(self, last: Frame) -> None:
        with self._lock:
            self._running.pop(last.call, None)
        try:
            self._channel.write(last)
        except OSError:
            return
        except ImagingError as error:
            self._channel.write(failure(last.call, error))


def main() -> None:
    """`python -m kiosk.imaging.worker --fd N --lane network|reading --memory BYTES --parent PID`."""
    parser = argparse.ArgumentParser(description="Speaks DICOM and reads objects for the kiosk that started it.")
    parser.add_argument("--fd", type=int, required=True, help="an inherited UNIX socket")
    parser.add_argument("--lane", choices=sorted(LANES), required=True)
    parser.add_argument("--memory", type=int, required=True, help="bytes of address space this process may take")
    parser.add_argument("--parent", type=int, required=True, help="the process that must be alive")
    options = parser.parse_args()
    confine(options.memory, options.parent)
    # Warnings and logs of the DICOM libraries quote patients' data.
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with socket.socket(fileno=options.fd) as connected:
        calls: Calls = importlib.import_module(LANES[options.lane]).CALLS
        gc.freeze()  # the collector would go over the libraries again and again
        Server(Channel(connected), calls).run()
    # Threads may sit in a decoder that nothing can interrupt.
    os._exit(0)
