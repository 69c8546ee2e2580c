"""How worker threads run operations."""

from collections.abc import Callable, Generator
from contextlib import closing
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from textual import work
from textual.worker import Worker, active_worker

from kiosk.errors import Cancelled

Item = TypeVar("Item")
Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")
Node = TypeVar("Node")


def in_thread(
    group: str,
) -> Callable[[Callable[Concatenate[Node, Parameters], None]], Callable[Concatenate[Node, Parameters], "Worker[None]"]]:
    """Runs a method of a screen in a worker thread of that group; starting it again marks the one before as cancelled.

    The method takes a ticket (see `messages`) and reports by `post_message` alone.
    """

    def decorate(
        method: Callable[Concatenate[Node, Parameters], None],
    ) -> Callable[Concatenate[Node, Parameters], "Worker[None]"]:
        @wraps(method)
        def run(self: Node, *args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
            try:
                method(self, *args, **kwargs)
            finally:
                # A thread of the pool remembers its last worker, and with it the screen and its patient.
                active_worker.set(None)  # type: ignore[arg-type]  # nobody reads it in a pool thread between two workers

        decorated: Any = work(run, thread=True, exclusive=True, group=group, exit_on_error=False, description=group)
        started: Callable[Concatenate[Node, Parameters], Worker[None]] = decorated
        return started

    return decorate


def relay(stream: Generator[Item, None, Result], post: Callable[[Item], bool]) -> Result:
    """Posts every item and returns the stream's result.

    `post` is `post_message`: False means that the screen is closing. Then the stream is closed and Cancelled raised.
    """
    with closing(stream):
        while True:
            try:
                item = next(stream)
            except StopIteration as end:
                result: Result = end.value
                return result
            if not post(item):
                raise Cancelled
