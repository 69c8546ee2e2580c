"""The archives and destinations, and where this kiosk can be reached by them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from kiosk.config import checks
from kiosk.config.checks import between
from kiosk.config.section import Section
from kiosk.errors import ConfigError

IDENTITIES = ("username", "passcode", "kerberos", "saml", "jwt")


@dataclass(frozen=True)
class PeerConfig(Section):
    """[[archives]], [[destinations]], [[listeners]]: a remote application entity.

    `timeout` bounds connecting, negotiating and every single answer. `character_set` is what we send;
    `assumed_character_set` is what an answer without one is read in. `bytes_per_second` is 0 for as fast as it goes.
    Pushes to a destination use up to `associations` at a time. `verify` says how it is asked whether it keeps what was
    sent: by storage "commitment", which falls back to a query where it is not offered, by "query", or not ("none").
    `fed_by` names the archives that send to it themselves: they know its AE title, and no bytes come here.
    `retrieve_by` is "get", or "move" for an archive that sends to [receiving]; `sends_from` are hosts it sends from
    besides its own.

    With `tls`, both sides show certificates: `authority`, `certificate` and `key` are files of PEM. The peer's must
    bear `server_name`, empty for its host; with `pinned_authority`, that authority vouches for this peer alone. With
    `crl`, a file of PEM with a current revocation list of every authority in the peer's chain, the peer is refused
    when its certificate is on one, and when one of them is missing or has expired.
    Over TLS only, the peer may be told a `user_identity` (PS3.7 D.3.3.7): "username" and "passcode" with `user_name`,
    all but the first with a `user_secret`, a file that holds the passcode, ticket, assertion or token.
    """

    name: Annotated[str, checks.text(64)]
    ae_title: Annotated[str, checks.ae_title]
    host: Annotated[str, checks.host]
    port: Annotated[int, between(1, 65535)]
    timeout: Annotated[float, between(0.1, 600)] = 10.0
    character_set: Annotated[str, checks.character_set] = "ISO_IR 192"
    assumed_character_set: Annotated[str, checks.character_set] = "ISO_IR 6"
    description: Annotated[str, checks.optional_text(128)] = ""
    retrieve_by: Annotated[str, checks.one_of("get", "move")] = "get"
    sends_from: Annotated[tuple[str, ...], checks.hosts] = ()
    bytes_per_second: Annotated[int, between(0, 2**40)] = 0
    associations: Annotated[int, between(1, 16)] = 1
    verify: Annotated[str, checks.one_of("commitment", "query", "none")] = "commitment"
    fed_by: Annotated[tuple[str, ...], checks.peer_names] = ()
    tls: bool = False
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    crl: Path | None = None
    server_name: Annotated[str, checks.optional_host] = ""
    pinned_authority: bool = False
    user_identity: Annotated[str, checks.one_of("", *IDENTITIES)] = ""
    user_name: Annotated[str, checks.optional_text(64)] = ""
    user_secret: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        files = {"authority": self.authority, "certificate": self.certificate, "key": self.key}
        for name, path in files.items():
            if self.tls and path is None:
                raise ConfigError(f"{name} must be a file of PEM: with tls both sides show certificates.")
            if not self.tls and path is not None:
                raise ConfigError(f"tls must be true for {name} to mean anything.")
        if not self.tls and self.crl is not None:
            raise ConfigError("tls must be true for crl to mean anything.")
        if not self.tls and (self.server_name or self.pinned_authority):
            raise ConfigError("tls must be true for a certificate's name or authority to be looked at.")
        self._check_identity()

    def _check_identity(self) -> None:
        if self.user_identity and not self.tls:
            raise ConfigError("user_identity must be empty without tls: it would go over the network in the open.")
        if bool(self.user_name) != (self.user_identity in ("username", "passcode")):
            raise ConfigError('user_name must be given with the user_identity "username" or "passcode", and only then.')
        if (self.user_secret is not None) != (self.user_identity not in ("", "username")):
            raise ConfigError("user_secret must be a file for every user_identity but a bare username, and only then.")


@dataclass(frozen=True)
class ReceivingConfig(Section):
    """[receiving]: where archives that are asked by C-MOVE send to; `port` 0 listens nowhere.

    `address` is empty for every one of this machine. Only what was asked for is taken, from whom it was asked.
    `most_associations` of all callers are served at a time. Reports of storage commitment come here too; one that does
    not come within `commitment_minutes` is asked for by a query.
    """

    port: Annotated[int, between(0, 65535)] = 0
    address: Annotated[str, checks.optional_host] = ""
    most_associations: Annotated[int, between(1, 256)] = 16
    commitment_minutes: Annotated[float, between(0.1, 10_080)] = 60.0
