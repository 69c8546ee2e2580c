"""A DICOM application entity we talk to, as configured, and how we ourselves can be reached."""

from dataclasses import dataclass, field
from enum import Enum


class RetrieveBy(Enum):
    """How an archive is asked for instances first; the other way is taken where it does not offer this one."""

    GET = "get"
    MOVE = "move"


class Verify(Enum):
    """How a destination is asked whether it keeps what was sent. Storage commitment falls back to a query where the
    destination does not offer it; where it offers neither, a push ends as sent and not as delivered."""

    COMMITMENT = "commitment"
    QUERY = "query"
    NONE = "none"


class IdentityKind(Enum):
    """User Identity Negotiation (PS3.7 D.3.3.7): what says on whose behalf we come."""

    USERNAME = "username"
    PASSCODE = "passcode"
    KERBEROS = "kerberos"
    SAML = "saml"
    JWT = "jwt"


@dataclass(frozen=True)
class Tls:
    """Mutual TLS (PS3.15 B.12) by files of PEM: who vouches for the peer, our certificate chain, its key.

    `server_name` is the name the peer's certificate must bear, empty for its host. With `pinned`, the authority
    vouches for this peer alone and the name is not looked at. `crl` is a file of revocation lists, one of every
    authority in the peer's chain, empty where none is looked at.
    """

    authority: str
    certificate: str
    key: str
    server_name: str = ""
    pinned: bool = False
    crl: str = ""


@dataclass(frozen=True)
class UserIdentity:
    """What the peer is told in the association request. `secret_file` holds the passcode, ticket, assertion or token;
    it is read when it is sent, and nowhere else."""

    kind: IdentityKind
    username: str = ""
    secret_file: str = ""


@dataclass(frozen=True)
class Peer:
    """One remote AE. Timeouts are seconds; `timeout` bounds connecting, negotiating and every single answer.

    `character_set` is the Specific Character Set we write keys in (several values joined by a backslash);
    `assumed_character_set` is how answers are read that declare none. `bytes_per_second` holds for everything that is
    exchanged with it at a time, 0 for as fast as it goes. What it sends us after a C-MOVE may come from the address
    where we reach it and from the hosts of `sends_from`. Pushes use up to `associations` at a time; `fed_by` names the
    archives that send to it themselves when they are told to.
    """

    name: str
    ae_title: str
    host: str
    port: int
    calling_ae_title: str = "KIOSK"
    timeout: float = 10.0
    character_set: str = "ISO_IR 192"
    assumed_character_set: str = "ISO_IR 6"
    tls: Tls | None = None
    user_identity: UserIdentity | None = field(default=None, repr=False)
    retrieve_by: RetrieveBy = RetrieveBy.GET
    bytes_per_second: int = 0
    sends_from: tuple[str, ...] = ()
    associations: int = 1
    verify: Verify = Verify.COMMITMENT
    fed_by: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} ({self.ae_title})"

    @property
    def place(self) -> str:
        """Where it is to be found."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Receiving:
    """Where we listen for what archives send us: `address` empty for every one of this machine, `port` 0 for any.

    `most_associations` are served at a time, all callers together. `callers` may ask whether we are there.
    """

    ae_title: str
    port: int
    address: str = ""
    most_associations: int = 16
    callers: tuple[Peer, ...] = ()
