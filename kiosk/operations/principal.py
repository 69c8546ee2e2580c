"""Who acts: a person at the terminal, a push that goes on in their name, or the machine itself."""

from dataclasses import dataclass

from readers.credentials.claim import Claim, Refusal


@dataclass(frozen=True)
class Badge:
    """A person's credential as the trail names it. `uid` is whole, upper-case hex: keep it off screens."""

    kind: str
    uid: str
    fingerprint: str

    @classmethod
    def of(cls, claim: Claim | Refusal) -> "Badge":
        """The badge of a claim, or of a card that could make none."""
        uid = claim.uid.hex() if claim.uid else ""
        if isinstance(claim, Refusal):
            return cls(claim.scheme, uid, "")
        return cls(claim.kind, uid, claim.fingerprint)

    @property
    def tokens(self) -> tuple[str, ...]:
        """What goes into AlternativeUserID (PS3.15 A.5.2.2): the UID, and beside it what proved more."""
        uid = (f"uid:{self.uid}",) if self.uid else ()
        return (*uid, self.fingerprint) if self.fingerprint else uid

    @property
    def masked(self) -> str:
        """Enough to tell two badges apart on a screen."""
        return self.fingerprint[-4:].upper() if self.fingerprint else "…" + self.uid[-4:]

    def __repr__(self) -> str:
        return f"Badge({self.kind}, {self.masked})"


@dataclass(frozen=True)
class Session:
    """A person at the terminal, for as long as their session is open."""

    session_id: str
    user_id: str
    display_name: str
    role: str
    badge: Badge
    permissions: frozenset[str]


@dataclass(frozen=True)
class Delegation:
    """A person's one act that goes on without them: a push after sign-out."""

    session_id: str
    user_id: str
    display_name: str
    role: str
    badge: Badge
    act: str
    job_id: str


@dataclass(frozen=True)
class System:
    """The machine itself ("system") or who runs a command on it ("unix:alice")."""

    name: str = "system"


Principal = Session | Delegation | System
