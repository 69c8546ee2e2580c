"""The key attributes we ask for and match on, level by level (PS3.4 C.6.2.1), and the values made from the answers."""

import re
from typing import Final

from kiosk.imaging.calls import InstanceKey
from kiosk.imaging.network.identifiers import Answer, Key
from kiosk.imaging.network.identity import is_uid
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Patient, Series, Study, StudyQuery

STUDY_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"

STUDY_INSTANCE_UID: Final = 0x0020000D
SERIES_INSTANCE_UID: Final = 0x0020000E
SOP_INSTANCE_UID: Final = 0x00080018
SOP_CLASS_UID: Final = 0x00080016

_STUDY_DATE: Final = 0x00080020
_STUDY_TIME: Final = 0x00080030
_ACCESSION_NUMBER: Final = 0x00080050
_MODALITY: Final = 0x00080060
_MODALITIES_IN_STUDY: Final = 0x00080061
_REFERRING_PHYSICIAN: Final = 0x00080090
_STUDY_DESCRIPTION: Final = 0x00081030
_SERIES_DESCRIPTION: Final = 0x0008103E
_PATIENT_NAME: Final = 0x00100010
_PATIENT_ID: Final = 0x00100020
_ISSUER: Final = 0x00100021
_BIRTH_DATE: Final = 0x00100030
_SEX: Final = 0x00100040
_BODY_PART: Final = 0x00180015
_STUDY_ID: Final = 0x00200010
_SERIES_NUMBER: Final = 0x00200011
_INSTANCE_NUMBER: Final = 0x00200013
_SERIES_IN_STUDY: Final = 0x00201206
_INSTANCES_IN_STUDY: Final = 0x00201208
_INSTANCES_IN_SERIES: Final = 0x00201209

# Scripts whose names stand in the second or third component group of a PN, after an "=" (PS3.5 6.2.1.2).
_IDEOGRAPHIC: Final = re.compile(
    "[\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)


def study_keys(query: StudyQuery, modality: str) -> tuple[Key, ...]:
    """Keys of a STUDY query. `modality` is one of the query's or empty: archives differ in how they match a list."""
    return (
        Key(_STUDY_DATE, "DA", _date_range(query)),
        Key(_STUDY_TIME, "TM"),
        Key(_ACCESSION_NUMBER, "SH", query.accession_number.strip(), "accession number"),
        Key(_MODALITIES_IN_STUDY, "CS", modality, "modality"),
        Key(_REFERRING_PHYSICIAN, "PN"),
        Key(_STUDY_DESCRIPTION, "LO", query.description.strip(), "study description"),
        Key(_PATIENT_NAME, "PN", _name_key(query.patient_name.strip()), "patient name"),
        Key(_PATIENT_ID, "LO", query.patient_id.strip(), "patient ID"),
        Key(_ISSUER, "LO"),
        Key(_BIRTH_DATE, "DA"),
        Key(_SEX, "CS"),
        Key(STUDY_INSTANCE_UID, "UI"),
        Key(_STUDY_ID, "SH"),
        Key(_SERIES_IN_STUDY, "IS"),
        Key(_INSTANCES_IN_STUDY, "IS"),
    )


def series_keys(study_instance_uid: str) -> tuple[Key, ...]:
    """Keys of a SERIES query within one study."""
    return (
        Key(_MODALITY, "CS"),
        Key(_SERIES_DESCRIPTION, "LO"),
        Key(_BODY_PART, "CS"),
        Key(STUDY_INSTANCE_UID, "UI", study_instance_uid),
        Key(SERIES_INSTANCE_UID, "UI"),
        Key(_SERIES_NUMBER, "IS"),
        Key(_INSTANCES_IN_SERIES, "IS"),
    )


def instance_keys(study_instance_uid: str, series_instance_uid: str) -> tuple[Key, ...]:
    """Keys of an IMAGE query within one series."""
    return (
        Key(SOP_CLASS_UID, "UI"),
        Key(SOP_INSTANCE_UID, "UI"),
        Key(STUDY_INSTANCE_UID, "UI", study_instance_uid),
        Key(SERIES_INSTANCE_UID, "UI", series_instance_uid),
        Key(_INSTANCE_NUMBER, "IS"),
    )


def retrieve_keys(
    study_instance_uid: str, series_instance_uid: str, sop_instance_uids: tuple[str, ...]
) -> tuple[Key, ...]:
    """The unique keys of a retrieval (PS3.4 C.4.3.1.3.1): a study, a series of it, or a list of instances of that."""
    keys = [Key(STUDY_INSTANCE_UID, "UI", study_instance_uid)]
    if series_instance_uid:
        keys.append(Key(SERIES_INSTANCE_UID, "UI", series_instance_uid))
    if sop_instance_uids:
        keys.append(Key(SOP_INSTANCE_UID, "UI", "\\".join(sop_instance_uids)))
    return tuple(keys)


def study_from(peer: Peer, answer: Answer) -> Study | None:
    """A study as the archive described it; None for an answer without a usable Study Instance UID."""
    uid = answer.uid(STUDY_INSTANCE_UID)
    if not is_uid(uid):
        return None
    return Study(
        study_instance_uid=uid,
        patient=Patient(
            patient_id=answer.text(_PATIENT_ID),
            issuer=answer.text(_ISSUER),
            name=answer.person_name(_PATIENT_NAME),
            birth_date=answer.date(_BIRTH_DATE),
            sex=answer.text(_SEX),
        ),
        study_date=answer.date(_STUDY_DATE),
        study_time=answer.time(_STUDY_TIME),
        accession_number=answer.text(_ACCESSION_NUMBER),
        description=answer.text(_STUDY_DESCRIPTION),
        modalities=tuple(dict.fromkeys(answer.texts(_MODALITIES_IN_STUDY))),
        referring_physician=answer.person_name(_REFERRING_PHYSICIAN),
        study_id=answer.text(_STUDY_ID),
        series_count=answer.count(_SERIES_IN_STUDY),
        instance_count=answer.count(_INSTANCES_IN_STUDY),
        archive=peer.name,
    )


def series_from(study_instance_uid: str, answer: Answer) -> Series | None:
    """A series; None for one without a usable UID or of another study."""
    uid = answer.uid(SERIES_INSTANCE_UID)
    if not is_uid(uid) or answer.uid(STUDY_INSTANCE_UID) not in ("", study_instance_uid):
        return None
    return Series(
        study_instance_uid=study_instance_uid,
        series_instance_uid=uid,
        number=answer.number(_SERIES_NUMBER),
        modality=answer.text(_MODALITY),
        description=answer.text(_SERIES_DESCRIPTION),
        body_part=answer.text(_BODY_PART),
        instance_count=answer.count(_INSTANCES_IN_SERIES),
    )


def instance_from(series_instance_uid: str, answer: Answer) -> InstanceKey | None:
    """An instance; None for one without a usable UID or of another series. Its SOP class may be unknown (empty)."""
    uid = answer.uid(SOP_INSTANCE_UID)
    if not is_uid(uid) or answer.uid(SERIES_INSTANCE_UID) not in ("", series_instance_uid):
        return None
    sop_class_uid = answer.uid(SOP_CLASS_UID)
    return InstanceKey(uid, sop_class_uid if is_uid(sop_class_uid) else "", answer.number(_INSTANCE_NUMBER))


def _date_range(query: StudyQuery) -> str:
    first = query.date_from.strftime("%Y%m%d") if query.date_from else ""
    last = query.date_to.strftime("%Y%m%d") if query.date_to else ""
    return first if first == last else f"{first}-{last}"


def _name_key(name: str) -> str:
    """An ideographic or phonetic name may stand behind any "=": let the archive find it there; we match it exactly."""
    if not _IDEOGRAPHIC.search(name) or "=" in name:
        return name
    return f"*{name.strip('*')}*"
