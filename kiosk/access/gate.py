"""From a claim to a decision. Whatever goes wrong on the way is a denial."""

from kiosk.access.decision import (
    BLOCKED_SENTENCE,
    UNAVAILABLE_SENTENCE,
    UNFIT_SENTENCE,
    UNKNOWN_SENTENCE,
    UNUSABLE_SENTENCE,
    Decision,
    DenialReason,
    Denied,
    Granted,
    PinAnswer,
    PinRequired,
    WrongPin,
)
from kiosk.access.entered_pin import EnteredPin
from kiosk.access.lockout import Blocked, Free, LockedOut, Lockouts
from kiosk.access.lookup import can_be_looked_up
from kiosk.access.people import Directory
from kiosk.access.person import Credential, Person
from kiosk.access.pin import Pins
from kiosk.access.policy import Permission, permissions_of
from kiosk.clock import Clock
from kiosk.config.model import AccessConfig
from kiosk.errors import DirectoryUnavailable
from readers.credentials.claim import Assurance, Claim


class Gate:
    """Decides who may sign in. Callable from any thread; never raises for a database that fails."""

    def __init__(
        self, directory: Directory, pins: Pins, lockouts: Lockouts, clock: Clock, settings: AccessConfig
    ) -> None:
        self._directory = directory
        self._pins = pins
        self._lockouts = lockouts
        self._clock = clock
        self._settings = settings

    def decide(self, claim: Claim) -> Decision:
        """What this claim is worth. Hashes nothing; a few indexed reads."""
        if _is_unfit(claim):
            return Denied(DenialReason.UNFIT_CLAIM, UNFIT_SENTENCE)
        try:
            found = self._directory.by_claim(claim)
            if found is None:
                return Denied(DenialReason.UNKNOWN_BADGE, UNKNOWN_SENTENCE)
            person, credential = found
            return self._decide(claim, person, credential)
        except DirectoryUnavailable:
            return Denied(DenialReason.DIRECTORY_UNAVAILABLE, UNAVAILABLE_SENTENCE)

    def check_pin(self, required: PinRequired, pin: str | EnteredPin) -> PinAnswer:
        """Judges a PIN for a claim that `decide` has let this far; about 0.2 s for the hash.

        Person and credential are looked up again: either may have been revoked while the box was open.
        """
        entered = pin if isinstance(pin, EnteredPin) else EnteredPin(pin)
        del pin  # a traceback that prints locals must not find it
        try:
            return self._check(required, entered)
        except DirectoryUnavailable:
            return Denied(
                DenialReason.DIRECTORY_UNAVAILABLE, UNAVAILABLE_SENTENCE, required.person, required.credential
            )

    def standing(self, credential_id: str) -> DenialReason | None:
        """Why whoever is signed in with that credential may not stay; None while they may. One indexed read.

        A directory that cannot be read lets nobody in, and ends nobody's session: it says nothing about them.
        """
        try:
            found = self._directory.credential(credential_id)
        except DirectoryUnavailable:
            return None
        return DenialReason.UNKNOWN_BADGE if found is None else self._standing(*found)

    def _decide(self, claim: Claim, person: Person, credential: Credential) -> Decision:
        if claim.kind != credential.kind or claim.assurance < credential.assurance:
            return Denied(DenialReason.DOWNGRADED, UNUSABLE_SENTENCE, person, credential)
        if reason := self._standing(person, credential):
            return Denied(reason, UNUSABLE_SENTENCE, person, credential)
        state = self._lockouts.state(person.person_id, credential.credential_id)
        if not isinstance(state, Free):
            return _locked(state, person, credential)
        if not self._pins.has(person.person_id):
            return Denied(DenialReason.NO_PIN, UNUSABLE_SENTENCE, person, credential)
        if self._earns_grace(credential) and self._directory.grace.holds(
            credential.credential_id, self._settings.grace_hours
        ):
            return Granted(person, credential, by_grace=True)
        return PinRequired(person, credential, state.attempts_left)

    def _check(self, required: PinRequired, pin: EnteredPin) -> PinAnswer:
        found = self._directory.credential(required.credential.credential_id)
        if found is None or found[0].person_id != required.person.person_id:
            return Denied(DenialReason.UNKNOWN_BADGE, UNKNOWN_SENTENCE)
        person, credential = found
        if reason := self._standing(person, credential):
            return Denied(reason, UNUSABLE_SENTENCE, person, credential)
        ids = (person.person_id, credential.credential_id)
        # The attempt is on disk as a failure before the hash is even begun: pulling the plug gives no free guess.
        state = self._lockouts.begin_attempt(*ids)
        if not isinstance(state, Free):
            return _locked(state, person, credential)
        if not self._pins.verify(person.person_id, pin):
            state = self._lockouts.state(*ids)
            return WrongPin(state.attempts_left) if isinstance(state, Free) else _locked(state, person, credential)
        self._lockouts.clear(*ids)
        if self._earns_grace(credential):
            self._directory.grace.issue(*ids)
        return Granted(person, credential, by_grace=False)

    def _standing(self, person: Person, credential: Credential) -> DenialReason | None:
        now = self._clock.now()
        if credential.revoked_at is not None:
            return DenialReason.REVOKED
        if not person.active:
            return DenialReason.PERSON_DISABLED
        if now < credential.valid_from:
            return DenialReason.NOT_YET_VALID
        if credential.valid_to is not None and now >= credential.valid_to:
            return DenialReason.EXPIRED
        if Permission.SIGN_IN not in permissions_of(person.role):
            return DenialReason.ROLE
        return None

    def _earns_grace(self, credential: Credential) -> bool:
        return credential.assurance >= Assurance.AUTHENTICATED and self._settings.grace_hours > 0


def _is_unfit(claim: Claim) -> bool:
    """A claim that proves nothing, or whose subject is an identifier made anew at each tap."""
    if claim.assurance <= Assurance.NONE or not can_be_looked_up(claim):
        return True
    return claim.uid is not None and claim.uid.is_random and claim.subject == claim.uid.value


def _locked(state: Blocked | LockedOut, person: Person, credential: Credential) -> Denied:
    reason = DenialReason.BLOCKED if isinstance(state, Blocked) else DenialReason.LOCKED_OUT
    return Denied(reason, BLOCKED_SENTENCE, person, credential)


__all__ = ["Decision", "DenialReason", "Denied", "Gate", "Granted", "PinAnswer", "PinRequired", "WrongPin"]
