"""Who took part in an event and what it was about, turned into the participants of PS3.15 A.5.2."""

import ipaddress
from dataclasses import dataclass, field

from kiosk.audit import codes
from kiosk.audit.message import ActiveParticipant, Code, ParticipantObject, PatientRef, SopClassCount

SITE_ROLE_SYSTEM = "Site"
CX_ESCAPES = str.maketrans({"\\": "\\E\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "|": "\\F\\"})


@dataclass(frozen=True)
class Who:
    """A person (or "unix:NAME", or "system") as a participant.

    `badge` are the tokens of the credential in hand, such as ("uid:04A1B2C3D4E5F6", "pkoc:9f2c51d07a3b4e6d").
    An idle logoff and a displacement have nobody who asked: `is_requestor` False (IHE ITI TF-2 3.20).
    """

    user_id: str
    user_name: str = ""
    badge: tuple[str, ...] = field(default=(), repr=False)
    role: str = ""
    is_requestor: bool = True

    def participant(self, *roles: Code, node: "Node | None" = None) -> ActiveParticipant:
        """The person, with their role in access control after any role of the event, at `node`."""
        site_role = (Code(self.role.upper(), SITE_ROLE_SYSTEM, self.role),) if self.role else ()
        point, point_type = node.access_point if node else ("", None)
        return ActiveParticipant(
            self.user_id,
            ";".join(self.badge),
            self.user_name,
            self.is_requestor,
            (*roles, *site_role),
            point,
            point_type,
        )


@dataclass(frozen=True)
class Node:
    """A DICOM application and the machine it runs on, as both sides know it."""

    ae_title: str
    host: str = ""

    @property
    def access_point(self) -> tuple[str, int]:
        """NetworkAccessPointID and its type: the host where it is known, else the AE title as the machine's name."""
        if not self.host:
            return self.ae_title, codes.MACHINE_NAME
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return self.host, codes.MACHINE_NAME
        return self.host, codes.IP_ADDRESS

    def participant(self, *roles: Code) -> ActiveParticipant:
        """The process, never the requestor, its AE title as the standard writes it (PS3.15 A.5.2.2)."""
        point, point_type = self.access_point
        return ActiveParticipant(
            user_id=self.ae_title,
            alternative_user_id=f"AETITLES={self.ae_title}",
            roles=roles,
            network_access_point=point,
            network_access_point_type=point_type,
        )


Process = Node


@dataclass(frozen=True)
class Medium:
    """What images are written to or read from: its label or address, and its type out of `codes` (CID 405)."""

    label: str
    media_type: Code

    def participant(self, *roles: Code) -> ActiveParticipant:
        """The medium, which never asks for anything (PS3.15 A.5.3.4, A.5.3.5)."""
        return ActiveParticipant(self.label or self.media_type.meaning, roles=roles, media=self.media_type)


@dataclass(frozen=True)
class StudyRef:
    """A study, with how many instances of which SOP class were concerned where that is known."""

    study_instance_uid: str
    accession_number: str = field(default="", repr=False)
    sop_classes: tuple[SopClassCount, ...] = ()


def study_object(
    study: StudyRef, *, life_cycle: int | None = None, details: tuple[tuple[str, bytes], ...] = ()
) -> ParticipantObject:
    """A study as an object (2, 3, 110180)."""
    return ParticipantObject(
        object_id=study.study_instance_uid,
        id_type=codes.STUDY_INSTANCE_UID,
        type_code=codes.SYSTEM,
        role=codes.ROLE_REPORT,
        life_cycle=life_cycle,
        details=details,
        accession_numbers=(study.accession_number,) if study.accession_number else (),
        sop_classes=study.sop_classes,
    )


def patient_object(patient: PatientRef, details: tuple[tuple[str, bytes], ...] = ()) -> ParticipantObject:
    """A patient as an object (1, 1, Patient Number); the ID is an HL7 CX: ID^^^ISSUER."""
    patient_id = patient.patient_id.translate(CX_ESCAPES)
    issuer = patient.issuer.translate(CX_ESCAPES)
    return ParticipantObject(
        object_id=f"{patient_id}^^^{issuer}" if issuer else patient_id,
        id_type=codes.PATIENT_NUMBER,
        type_code=codes.PERSON,
        role=codes.ROLE_PATIENT,
        name=patient.name,
        details=details,
    )
