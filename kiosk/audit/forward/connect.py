"""Reaching a sink's host, and what to tell people when that fails."""

import errno
import socket
from typing import Final

from kiosk.audit.forward.sink import Sink, SinkError

KEEP_ALIVE: Final = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))


def connect(sink: Sink) -> socket.socket:
    """A TCP connection, within the sink's timeout; raises SinkError.

    A network that goes away while something is on its way is noticed after the same time (TCP_USER_TIMEOUT).
    """
    try:
        connection = socket.create_connection((sink.host, sink.port), sink.timeout)
    except UnicodeError:  # no name at all: a label of more than 63 characters
        raise unknown(sink) from None
    except OSError as error:
        raise trouble(sink, error) from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEP_ALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(sink.timeout * 1000))
    return connection


def trouble(sink: Sink, error: OSError) -> SinkError:
    """What the network says, in a sentence."""
    place = sink.place
    match error:
        case socket.gaierror():
            return unknown(sink)
        case TimeoutError():
            said = f"{place} did not answer within {sink.timeout:g} s. Check the network, and that the receiver works."
            return sink.error(said)
        case ConnectionRefusedError():
            return sink.error(f"nobody listens at {place}. Start the receiver, or mend host and port.")
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return sink.error(f"{place} broke the connection off. Look into the receiver's log.")
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
        return sink.error(f"there is no way to {place}. Check the network.")
    return sink.error(f"{place} cannot be used: {error.strerror or type(error).__name__}.")


def unknown(sink: Sink) -> SinkError:
    """There is no such host."""
    return sink.error(f"the name {sink.host} is not known. Check host, and this machine's name service.")


def gone(sink: Sink) -> SinkError:
    """The other end closed the connection."""
    return sink.error(f"{sink.place} closed the connection. Look into the receiver's log.")
