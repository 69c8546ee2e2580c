"""What cancels the work of a session: one Event for each kind of work, all set when the session ends."""

from threading import Event


class Tickets:
    """Hands out cancel Events. Used by handlers only, never by threads."""

    def __init__(self) -> None:
        self._running: dict[str, Event] = {}

    def fresh(self, group: str) -> Event:
        """A new ticket; the one before it in that group is cancelled."""
        self.cancel(group)
        ticket = self._running[group] = Event()
        return ticket

    def cancel(self, group: str) -> bool:
        """Cancels what runs in that group; False when nothing did."""
        ticket = self._running.pop(group, None)
        if ticket is None:
            return False
        ticket.set()
        return True

    def done(self, group: str, ticket: Event) -> None:
        """The work under that ticket is over."""
        if self._running.get(group) is ticket:
            del self._running[group]

    def is_running(self, group: str) -> bool:
        """True between `fresh` and `done` or `cancel`."""
        return group in self._running

    def is_current(self, group: str, ticket: Event) -> bool:
        """True while that ticket's work is what runs in its group."""
        return self._running.get(group) is ticket

    def cancel_all(self) -> None:
        """The session is over."""
        for group in tuple(self._running):
            self.cancel(group)
