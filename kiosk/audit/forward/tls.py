"""TLS 1.2 and 1.3 with certificates on both sides (BCP 195, RFC 5425 4.2), and what to tell people when it fails."""

import errno
import re
import socket
import ssl
from typing import Final

from kiosk.audit.forward.connect import connect, gone, trouble
from kiosk.audit.forward.sink import Credentials, Sink, SinkError

PROBE_SECONDS: Final = 0.25
"""A client that is rejected in TLS 1.3 hears of it only after its own handshake has ended."""


def secure(sink: Sink) -> ssl.SSLSocket:
    """A connection to the sink's own host, proven, that has taken our certificate too; raises SinkError."""
    credentials = sink.credentials
    if credentials is None:
        raise sink.error("it has no authority. Name one in the configuration.")
    context = _context(sink, credentials)
    connection = connect(sink)
    try:
        secured = context.wrap_socket(
            connection, server_hostname=credentials.server_name or sink.host, suppress_ragged_eofs=False
        )
    except OSError as error:
        connection.close()
        raise failure(sink, error) from None
    except ValueError:  # a server name that no certificate can bear
        connection.close()
        raise sink.error("its server_name is no host name. Mend the configuration.") from None
    try:
        _probe(sink, secured)
    except SinkError:
        secured.close()
        raise
    return secured


def failure(sink: Sink, error: OSError) -> SinkError:
    """What TLS or the network says, in a sentence."""
    if isinstance(error, ssl.SSLCertVerificationError):
        said = str(error.verify_message).rstrip(".")
        return sink.refused(
            f"the certificate of {sink.place} is not accepted here: {said}. Renew it there, or mend authority and "
            "server_name here."
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return gone(sink)
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").lower()
        if alert := re.search(r"alert_(.+)", reason):
            said = alert[1].replace("_", " ")
            return sink.refused(
                f"{sink.place} refuses this kiosk's certificate or its TLS: {said}. Renew certificate and key, or have "
                "them admitted there."
            )
        return sink.refused(f"{sink.place} does not speak TLS as it should: {reason.replace('_', ' ') or 'no reason'}.")
    return trouble(sink, error)


def _context(sink: Sink, credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for key, path in (
        ("authority", credentials.authority),
        ("certificate", credentials.certificate),
        ("key", credentials.key),
    ):
        try:
            if path is not None:
                path.open("rb").close()
        except OSError as error:
            raise sink.error(f"its {key} {path} cannot be read: {error.strerror}. Put the file there.") from None
    try:
        context.load_verify_locations(credentials.authority)
    except OSError:
        raise sink.error(f"its authority {credentials.authority} holds no certificate in PEM.") from None
    if credentials.certificate is not None:
        try:
            # A password of its own keeps OpenSSL from asking for one on the terminal.
            context.load_cert_chain(credentials.certificate, credentials.key, password=b"")
        except OSError:
            raise sink.error(
                f"{credentials.certificate} and its key are not a certificate in PEM with its own unencrypted key."
            ) from None
    return context


def _probe(sink: Sink, connection: ssl.SSLSocket) -> None:
    connection.settimeout(PROBE_SECONDS)
    try:
        heard = connection.recv(1)
    except TimeoutError:
        return
    except OSError as error:
        if isinstance(error, ssl.SSLEOFError) or error.errno == errno.ECONNRESET:
            raise _refused(sink) from None
        raise failure(sink, error) from None
    finally:
        connection.settimeout(sink.timeout)
    if not heard:
        raise _refused(sink)


def _refused(sink: Sink) -> SinkError:
    return sink.refused(
        f"{sink.place} hung up after the TLS handshake: it does not admit this kiosk's certificate. Have its name "
        "admitted there, or renew certificate and key."
    )


def is_timeout(error: OSError) -> bool:
    """Whether nothing came in the time that there was."""
    return isinstance(error, TimeoutError | BlockingIOError | ssl.SSLWantReadError)


def is_end(error: OSError) -> bool:
    """Whether the other end closed the connection without a word, and without a reset."""
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)


def shut(connection: socket.socket) -> None:
    """Ends a connection from any thread, past whatever TLS is doing on it; raises OSError when it has ended."""
    socket.socket.shutdown(connection, socket.SHUT_RDWR)
