"""User Identity Negotiation (PS3.7 D.3.3.7): said only over TLS, its secret read when it is said."""

from typing import Final

from pynetdicom.pdu_primitives import UserIdentityNegotiation

from kiosk.errors import ImagingError
from kiosk.imaging.network.tls import read_secret
from kiosk.imaging.peers import IdentityKind, Peer

_TYPES: Final = {
    IdentityKind.USERNAME: 1,
    IdentityKind.PASSCODE: 2,
    IdentityKind.KERBEROS: 3,
    IdentityKind.SAML: 4,
    IdentityKind.JWT: 5,
}


def user_identity_items(peer: Peer) -> list[object]:
    """The sub-item for the association request, none where the peer is to be told nothing. Raises ImagingError."""
    identity = peer.user_identity
    if identity is None:
        return []
    if peer.tls is None:
        raise ImagingError(f"{peer} is to be told a user identity, which is said over TLS only.")
    item = UserIdentityNegotiation()
    item.user_identity_type = _TYPES[identity.kind]
    # Peers that check identities reject the association; those that do not need not answer.
    item.positive_response_requested = False
    secret = read_secret(identity.secret_file) if identity.kind is not IdentityKind.USERNAME else b""
    if identity.kind in (IdentityKind.USERNAME, IdentityKind.PASSCODE):
        item.primary_field = identity.username.encode("utf-8")
        if secret:
            item.secondary_field = secret
    else:
        item.primary_field = secret
    return [item]
