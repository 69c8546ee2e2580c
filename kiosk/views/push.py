"""The question before a push: which patients, how much, whereto."""

from collections.abc import Iterable
from dataclasses import dataclass

from kiosk.imaging.studies.model import Patient, Series, Study
from kiosk.operations.operations import Destination, PushRequest
from kiosk.views.columns import Column
from kiosk.views.patient import patient_line
from kiosk.views.quantities import count_text
from kiosk.views.text import joined, one_line
from kiosk.views.words import _, plural

DESTINATION_COLUMNS = (
    Column("name", _("Destination"), 16, weight=2),
    Column("ae_title", _("AE title"), 16),
    Column("description", _("Description"), 10, weight=3),
)


@dataclass(frozen=True)
class PushPlan:
    """What was chosen: whole studies, or (`series` not empty) some series of the one study."""

    studies: tuple[Study, ...]
    series: tuple[Series, ...] = ()

    @property
    def patients(self) -> tuple[Patient, ...]:
        """Each patient once, in the order chosen; two are the same only with the same ID and issuer."""
        found: dict[tuple[str, str, str], Patient] = {}
        for study in self.studies:
            patient = study.patient
            # Without an ID nothing says that two studies are of one person.
            alone = "" if patient.patient_id else study.study_instance_uid
            found.setdefault((patient.patient_id, patient.issuer, alone), patient)
        return tuple(found.values())

    @property
    def series_count(self) -> int | None:
        """How many series; None when an archive did not say."""
        return len(self.series) or _sum(study.series_count for study in self.studies)

    @property
    def instance_count(self) -> int | None:
        """How many instances; None when an archive did not say."""
        if self.series:
            return _sum(series.instance_count for series in self.series)
        return _sum(study.instance_count for study in self.studies)

    def requests(self, *destinations: Destination) -> tuple[PushRequest, ...]:
        """One push for each study to each destination."""
        if self.series:
            uids = tuple(series.series_instance_uid for series in self.series)
            return tuple(PushRequest(self.studies[0], uids, to.name, self.instance_count) for to in destinations)
        return tuple(
            PushRequest(study, (), to.name, study.instance_count) for to in destinations for study in self.studies
        )


def _sum(counts: Iterable[int | None]) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def destination_cells(destination: Destination) -> tuple[str, ...]:
    """One text for each of DESTINATION_COLUMNS."""
    return one_line(destination.name), one_line(destination.ae_title), one_line(destination.description)


def amount_line(plan: PushPlan) -> str:
    """How much: "2 studies · 5 series · 300 instances"."""
    instances = plan.instance_count
    return joined(
        plural("{count} study", "{count} studies", len(plan.studies)),
        _("{series} series").format(series=count_text(plan.series_count)),
        plural("{count} instance", "{count} instances", instances) if instances is not None else _("? instances"),
    )


def patient_lines(plan: PushPlan, most: int = 6) -> tuple[str, ...]:
    """A line for each patient; after `most` of them the number of the others."""
    patients = plan.patients
    lines = tuple(patient_line(patient) for patient in patients[:most])
    if len(patients) > most:
        others = plural("and {count} more patient", "and {count} more patients", len(patients) - most)
        return (*lines, others)
    return lines


def push_question(plan: PushPlan, *destinations: Destination) -> str:
    """The question in one sentence, naming every destination."""
    if not destinations:
        return _("Push {amount}: choose a destination.").format(amount=amount_line(plan))
    names = ", ".join(
        _("{name} ({ae_title})").format(name=one_line(to.name), ae_title=one_line(to.ae_title)) for to in destinations
    )
    if len(destinations) == 1:
        return _("Push {amount} to {destination}?").format(amount=amount_line(plan), destination=names)
    return _("Push {amount} to each of {count} destinations: {names}?").format(
        amount=amount_line(plan), count=len(destinations), names=names
    )


def queued_line(queued: int, wanted: int) -> str:
    """How many of the pushes are in the outbox though not all are; empty when none is."""
    if not queued:
        return ""
    return _("{queued} of {wanted} pushes are in the outbox.").format(queued=queued, wanted=wanted)
