"""One thread for the short orders of the terminal, so that neither a slow socket nor a busy pool holds them up."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from kiosk.errors import KioskError
from kiosk.views.refusals import refusal

Order = Callable[[], None]


class Courier:
    """Carries out orders one after another; `failed` is told the sentence of each that was refused."""

    def __init__(self, failed: Callable[[str], object]) -> None:
        self._failed = failed
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="kiosk-courier", daemon=True)

    def start(self) -> None:
        """Begins to carry out what was and will be sent."""
        self._thread.start()

    def send(self, order: Order) -> None:
        """Queues an order and returns at once."""
        self._orders.put(order)

    def stop(self) -> None:
        """Ends the thread after the orders already sent; waits up to 2 s for them."""
        self._orders.put(None)
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                order()
            except KioskError as error:
                self._failed(refusal(error))
            # An order closes over a session; it must not outlive its turn.
            del order
