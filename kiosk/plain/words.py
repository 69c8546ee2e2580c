"""What can be typed at the line front end."""

import re

from kiosk.views.audit_form import AuditForm
from kiosk.views.query import QueryForm
from kiosk.views.words import _

HELP = (
    _("query [name=… id=… accession=… date=… modality=… description=…]   ask the archives; quote values with blanks"),
    _("      [issuer=… accession-issuer=… referring=… study-id=… time=… study=UID,UID…]   rarer keys of the same"),
    _("more                      the same query once more, for the studies after those it ended at"),
    _("find LEVEL [root=patient] [archive=NAME] [KEYWORD=VALUE …]   what one archive holds at a level"),
    _("list [sort=COLUMN]        the studies found; a column again turns the order round"),
    _("open N                    opens study N: lists its series"),
    _("series N                  opens series N: lists its instances"),
    _("instances                 the instances of the open series once more"),
    _("gaps                      what is missing, double or odd among them, with a strip of where the slices lie"),
    _("priors                    the patient's other studies, newest first; then open N opens one"),
    _("point N ROW COLUMN [FRAME]   where a pixel of instance N lies in the patient, in mm; marks that point"),
    _("nearest [X Y Z]           the slice of the open series nearest to the marked point or to one in mm (LPS)"),
    _("tags N [words]            the data elements of instance N, those that hold the words"),
    _("select N …                selects or unselects studies; in an open study its series"),
    _("destinations              where this may be pushed to"),
    _("push DESTINATION …        asks, and with yes pushes what is selected or open to each of them"),
    _("transfers                 how the pushes stand"),
    _("cancel [N]                stops what runs, or transfer N"),
    _("retry N                   sends again what transfer N could not"),
    _("back                      closes the open study"),
    _("audit [person=… badge=… patient=… day=… act=… outcome=… study=…]   for auditors: the record, newest first"),
    _("record N                  record N of those listed, whole"),
    _("day PERSON DAY            what a person did that day, session by session"),
    _("chain                     whether the record is whole, and how far it is signed for"),
    _("status                    how the record and its delivery stand; needs no badge"),
    _("tap CARD                  demonstration only: lays a virtual card on the reader"),
    _("sign out                  ends the session"),
    _("help                      this"),
)
DECIMAL = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
FIELDS = {
    "name": "patient_name",
    "id": "patient_id",
    "accession": "accession_number",
    "date": "study_date",
    "modality": "modality",
    "description": "description",
    "issuer": "issuer",
    "accession-issuer": "accession_issuer",
    "referring": "referring_physician",
    "study-id": "study_id",
    "time": "study_time",
    "study": "study_uids",
}
AUDIT_FIELDS = {
    **{name: name for name in ("person", "badge", "patient", "issuer", "study", "act", "outcome", "day", "until")},
    "from": "since",
}


def query_form(words: list[str]) -> QueryForm | str:
    """Reads name=…, id=… and so on; a sentence when a word is none of these."""
    fields: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name.casefold() not in FIELDS:
            return _("Fields are: {fields}").format(fields=", ".join(f"{field}=…" for field in FIELDS))
        fields[FIELDS[name.casefold()]] = value
    return QueryForm(**fields)


def audit_form(words: list[str]) -> AuditForm | str:
    """Reads person=…, day=… and so on; a sentence when a word is none of these."""
    fields: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name.casefold() not in AUDIT_FIELDS:
            return _("Fields are: {fields}").format(fields=", ".join(f"{field}=…" for field in AUDIT_FIELDS))
        fields[AUDIT_FIELDS[name.casefold()]] = value
    return AuditForm(**fields)


def number(text: str, most: int) -> int | str:
    """A whole number from 1 to `most`, or a sentence."""
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most:
        return int(text)
    return _("Numbers from 1 to {most}, please.").format(most=most) if most else _("There is nothing to choose from.")


def decimal(text: str) -> float | None:
    """A number with or without a point and a sign, None for anything else."""
    return float(text) if DECIMAL.fullmatch(text) else None
