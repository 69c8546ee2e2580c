"""Patients, studies and nodes as the trail names them."""

import socket
from collections import Counter
from collections.abc import Iterable

from kiosk.audit import Node, PatientRef, SopClassCount, StudyRef
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Patient, Study


def patient_ref(patient: Patient) -> PatientRef:
    """A patient is (Patient ID, Issuer); the name is the first component group that is there."""
    name = patient.name.alphabetic or patient.name.ideographic or patient.name.phonetic
    return PatientRef(patient.patient_id, patient.issuer, name)


def this_node(ae_title: str) -> Node:
    """This machine, under one of its AE titles."""
    return Node(ae_title, socket.gethostname())


def peer_node(peer: Peer) -> Node:
    """The other end of an association."""
    return Node(peer.ae_title, peer.host)


def study_ref(study: Study, sop_class_uids: Iterable[str] = ()) -> StudyRef:
    """A study with how many instances of which SOP class were concerned; none counted when none are given."""
    counts = Counter(sop_class_uids)
    return StudyRef(
        study.study_instance_uid,
        study.accession_number,
        tuple(SopClassCount(uid, number) for uid, number in sorted(counts.items())),
    )
