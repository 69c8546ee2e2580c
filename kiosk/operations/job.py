"""What the outbox keeps of a push for those above it: the study, and in whose name it goes."""

from dataclasses import dataclass

import msgspec

from kiosk.errors import ImagingError
from kiosk.imaging.studies.model import Study
from kiosk.operations.principal import Delegation


@dataclass(frozen=True)
class Errand:
    """A study on its way, and the delegation under which it goes."""

    study: Study
    delegation: Delegation


def write_errand(errand: Errand) -> bytes:
    """As JSON, for the outbox."""
    return msgspec.json.encode(errand)


def read_errand(kept: bytes) -> Errand:
    """Back again; raises ImagingError for anything else."""
    try:
        return msgspec.json.decode(kept, type=Errand)
    except msgspec.MsgspecError:
        raise ImagingError("A push in the outbox cannot be read any more.") from None
