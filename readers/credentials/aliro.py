"""What an Aliro credential would be to the ladder. Written down, not built: no wallet can be provisioned here.

Nothing could be tried against a real one, and no scheme claims to speak it.

Aliro (Connectivity Standards Alliance, version 1.0) is a mutual proof between a phone or watch and a reader over NFC. A
scheme for it is a `CredentialScheme` of kind "aliro" and assurance AUTHENTICATED, first in the ladder beside pkoc, with
these properties:

- `may_apply` is true for whatever takes APDUs; `identify` starts with SELECT of the expedited-phase application and
  gives None where that is not there.
- AUTH0 carries the reader's group identifier and a fresh ephemeral P-256 key; AUTH1 the reader's signature over both
  ephemeral keys. The card's answer, enciphered under a key that both agreed on, holds its own signature and the access
  credential's public key.
- The subject is that public key, whole: a phone shows a random UID, and the claim keeps it only as seen at this tap.
- The fast exchange (a cryptogram under a key kept from an earlier tap) proves the device to this reader and to nobody
  else: the claim has no `proof`, and a site that wants every tap provable switches it off.
- A reader signs with a key from `ReaderIdentities`; its certificate, where the site has an issuer, travels in LOAD CERT
  before AUTH1.
- An access document, where one is read in the step-up phase, is checked against the site's issuers before anything in
  it counts, and a document that fails is PROOF_FAILED and ends the ladder.
- The nonce that makes the proof fit the trail goes where the specification leaves the reader free: into the transaction
  identifier, which both signatures cover. It comes from a `NonceSource`.
"""

from dataclasses import dataclass
from typing import Protocol

from readers.credentials.claim import Claim, CredentialScheme, Refusal
from readers.reader import Card


@dataclass(frozen=True, repr=False)
class ReaderIdentity:
    """Who the reader is to a phone: the site's group, 16 bytes, and this reader in it, 16 bytes."""

    group_identifier: bytes
    sub_identifier: bytes


class ReaderIdentities(Protocol):
    """Keeps the reader's private key; it may lie in a SAM or a TPM, so only signatures come out."""

    @property
    def identity(self) -> ReaderIdentity:
        """The identifiers that the key's certificate names."""

    def sign(self, message: bytes) -> bytes:
        """ECDSA P-256 over SHA-256 of `message`, r and s of 32 bytes each; raises KeyMissing."""


class AliroScheme(CredentialScheme, Protocol):
    """A CredentialScheme of kind "aliro": what `identify` must hold beyond the protocol it extends."""

    def identify(self, card: Card) -> Claim | Refusal | None:
        """None where the application is absent; a Claim on the access credential's public key where it is proved.

        Else a Refusal: PROOF_FAILED, REPLAYED, UNKNOWN_ISSUER, EXPIRED or REVOKED.
        """
