"""A DICOM application entity we talk to, as configured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """One remote AE. Timeouts are seconds; `timeout` bounds connecting, negotiating and every single answer.

    `character_set` is the Specific Character Set we write keys in (several values joined by a backslash);
    `assumed_character_set` is how answers are read that declare none.
    """

    name: str
    ae_title: str
    host: str
    port: int
    calling_ae_title: str = "KIOSK"
    timeout: float = 10.0
    character_set: str = "ISO_IR 192"
    assumed_character_set: str = "ISO_IR 6"

    def __str__(self) -> str:
        return f"{self.name} ({self.ae_title})"
