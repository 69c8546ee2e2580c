"""Syslog messages (RFC 5424) and how a stream of them is cut into messages (RFC 5425 4.3, RFC 6587 3.4.1)."""

from datetime import UTC
from typing import Final

from kiosk.audit.forward.sink import Header
from kiosk.audit.forward.stream import Rendered

NOTICE: Final = 5
WARNING: Final = 4
BOM: Final = b"\xef\xbb\xbf"
NIL: Final = "-"
LONGEST_HOST: Final = 255
LONGEST_APP: Final = 48
LONGEST_PROCID: Final = 128
LONGEST_MSGID: Final = 32


def message(rendered: Rendered, header: Header, process: str) -> bytes:
    """The whole message, the same octets every time: its time is the record's.

    `process` stands as PROCID. RFC 5424 6.2.6 has it change where reporting was interrupted, so it is the trail's name.
    Structured data is "-" (ITI TF-2 3.20).
    """
    severity = WARNING if rendered.is_warning else NOTICE
    moment = rendered.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields = (
        f"<{header.facility * 8 + severity}>1",
        moment,
        printable(header.host_name, LONGEST_HOST),
        printable(header.app_name, LONGEST_APP),
        printable(process, LONGEST_PROCID),
        printable(header.msgid, LONGEST_MSGID),
        NIL,
        "",
    )
    return " ".join(fields).encode("ascii") + (BOM if header.bom else b"") + rendered.xml.encode("utf-8")


def counted(text: bytes) -> bytes:
    """A message with its length in octets before it."""
    return b"%d %b" % (len(text), text)


def printable(text: str, longest: int) -> str:
    """A header field: printable ASCII without spaces (RFC 5424 6), everything else replaced; empty is "-"."""
    return "".join(char if "!" <= char <= "~" else "_" for char in text[:longest]) or NIL
