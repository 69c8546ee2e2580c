"""Why TLS with a peer did not come about, in words a person at the terminal can pass on."""

import ssl
from typing import Final

from kiosk.errors import PeerUntrusted
from kiosk.imaging.peers import Peer

# X509_V_ERR_*: what OpenSSL found wrong with a certificate.
_VERIFICATIONS: Final = {
    3: "there is no revocation list of its certificate's authority here",
    8: "the revocation list of its certificate's authority is not signed by that",
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    11: "the revocation list of its certificate's authority is not valid yet",
    12: "the revocation list of its certificate's authority has expired",
    18: "its certificate is signed by itself and not known here",
    19: "its certificate's authority is not known here",
    20: "its certificate's authority is not known here",
    21: "its certificate's authority is not known here",
    23: "its certificate has been revoked",
    26: "its certificate is not meant for this",
    33: "there is no revocation list of its certificate's authority here",
    35: "the authority of its certificate may not sign revocation lists",
    36: "the revocation list of its certificate's authority says what is not understood here",
    44: "the revocation list of its certificate's authority is for other certificates",
    62: "its certificate is for another name than {name}",
    64: "its certificate is for another address than {name}",
    66: "the key of its certificate is too weak",
}
_REASONS: Final = {
    "WRONG_VERSION_NUMBER": "it answers without TLS",
    "HTTP_REQUEST": "it answers without TLS",
    "RECORD_LAYER_FAILURE": "it answers without TLS",
    "UNSUPPORTED_PROTOCOL": "it speaks only versions of TLS that are not safe",
    "NO_SHARED_CIPHER": "it knows no cipher that is safe",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it showed no certificate",
    "UNEXPECTED_EOF_WHILE_READING": "it closed the connection instead of agreeing on TLS",
    "DH_KEY_TOO_SMALL": "its keys are too weak",
    "EE_KEY_TOO_SMALL": "its keys are too weak",
}
# What comes after "ALERT_" in the name that OpenSSL gives an alert (RFC 8446 6.2).
_ALERTS: Final = {
    "ACCESS_DENIED": "it does not let our certificate in",
    "BAD_CERTIFICATE": "it does not accept our certificate",
    "CERTIFICATE_EXPIRED": "it says that our certificate has expired",
    "CERTIFICATE_REQUIRED": "it asks for a certificate and got none",
    "CERTIFICATE_REVOKED": "it says that our certificate has been revoked",
    "CERTIFICATE_UNKNOWN": "it does not accept our certificate",
    "DECRYPT_ERROR": "it does not accept our certificate",
    "HANDSHAKE_FAILURE": "it knows no cipher that is safe, or does not accept our certificate",
    "PROTOCOL_VERSION": "it speaks only versions of TLS that are not safe",
    "UNKNOWN_CA": "it does not know the authority of our certificate",
    "UNSUPPORTED_CERTIFICATE": "it does not accept our certificate",
    "UNRECOGNIZED_NAME": "it is not called {name}",
    "TLSV1_UNRECOGNIZED_NAME": "it is not called {name}",
}


def untrusted(peer: Peer, error: OSError | None) -> PeerUntrusted:
    """The sentence for what the handshake, or the first read after it, ended with."""
    name = (peer.tls.server_name if peer.tls is not None else "") or peer.host
    return PeerUntrusted(f"No secure connection with {peer}: {_words(error).format(name=name)}.", peer.place)


def _words(error: OSError | None) -> str:
    if error is None:
        return "TLS cannot be spoken with {name}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATIONS.get(error.verify_code, f"its certificate will not do (reason {error.verify_code})")
    if isinstance(error, ssl.SSLZeroReturnError):
        return "it closed the connection once TLS was agreed on, as it would if it did not accept our certificate"
    if isinstance(error, ssl.SSLEOFError) or not isinstance(error, ssl.SSLError):
        return "it closed the connection instead of agreeing on TLS"
    reason = error.reason or ""
    known = _REASONS.get(reason)
    if known is None and "ALERT_" in reason:
        known = _ALERTS.get(reason.partition("ALERT_")[2])
    return known or "TLS failed ({})".format(reason.lower().replace("_", " ") or "no reason given")
