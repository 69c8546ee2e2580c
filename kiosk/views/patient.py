"""Who is on the screen: what every screen with a patient shows."""

from dataclasses import dataclass

from kiosk.imaging.studies.model import Patient
from kiosk.views.dates import date_text
from kiosk.views.names import full_name, short_name
from kiosk.views.text import joined, one_line
from kiosk.views.words import _

_SEXES = {"F": "female", "M": "male", "O": "other"}


@dataclass(frozen=True)
class Banner:
    """A patient in two lines: every group of the name; birth date, ID with its issuer, sex."""

    name: str
    details: str


def identifier_text(patient: Patient) -> str:
    """The Patient ID with its issuer: "12345 (Hospital A)"."""
    patient_id = one_line(patient.patient_id) or _("(no ID)")
    issuer = one_line(patient.issuer) or _("issuer unknown")
    return f"{patient_id} ({issuer})"


def sex_text(patient: Patient) -> str:
    """Patient's Sex (0010,0040) in a word; what is not one of its codes is shown as it came."""
    code = one_line(patient.sex)
    return _(_SEXES[code]) if code in _SEXES else code or _("sex unknown")


def patient_banner(patient: Patient) -> Banner:
    """Name, birth date, ID with issuer, sex."""
    born = _("born {date}").format(date=date_text(patient.birth_date))
    return Banner(
        full_name(patient.name),
        joined(born, _("ID {identifier}").format(identifier=identifier_text(patient)), sex_text(patient)),
    )


def patient_line(patient: Patient) -> str:
    """The same in one line, for lists and questions."""
    return joined(
        short_name(patient.name),
        _("born {date}").format(date=date_text(patient.birth_date)),
        _("ID {identifier}").format(identifier=identifier_text(patient)),
        sex_text(patient),
    )
