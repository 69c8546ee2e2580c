"""The key attributes we ask for and match on, level by level (PS3.4 C.6.2.1), and the values made from the answers."""

import re
from datetime import time
from typing import Final

from kiosk.imaging.calls import InstanceKey
from kiosk.imaging.network.identifiers import Answer, Key, nested
from kiosk.imaging.network.identity import is_uid
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Patient, Series, Study, StudyQuery

STUDY_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
PATIENT_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.1.1"

STUDY_INSTANCE_UID: Final = 0x0020000D
SERIES_INSTANCE_UID: Final = 0x0020000E
SOP_INSTANCE_UID: Final = 0x00080018
SOP_CLASS_UID: Final = 0x00080016

_STUDY_DATE: Final = 0x00080020
_STUDY_TIME: Final = 0x00080030
_ACCESSION_NUMBER: Final = 0x00080050
_ACCESSION_ISSUER: Final = 0x00080051
_LOCAL_NAMESPACE: Final = 0x00400031
_MODALITY: Final = 0x00080060
_MODALITIES_IN_STUDY: Final = 0x00080061
_SOP_CLASSES_IN_STUDY: Final = 0x00080062
_REFERRING_PHYSICIAN: Final = 0x00080090
_STUDY_DESCRIPTION: Final = 0x00081030
_SERIES_DATE: Final = 0x00080021
_SERIES_TIME: Final = 0x00080031
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
    """Keys of a STUDY query. `modality` is one of the query's or empty: archives differ in how they match a list.

    The issuer of the accession number is asked for with an accession number alone: for sequences some archives open
    every file.
    """
    return (
        Key(_STUDY_DATE, "DA", _date_range(query)),
        Key(_STUDY_TIME, "TM", _time_range(query)),
        Key(_ACCESSION_NUMBER, "SH", query.accession_number.strip(), "accession number"),
        *_accession_issuer(query),
        Key(_MODALITIES_IN_STUDY, "CS", modality, "modality"),
        Key(_REFERRING_PHYSICIAN, "PN", _name_key(query.referring_physician.strip()), "referring physician"),
        Key(_STUDY_DESCRIPTION, "LO", query.description.strip(), "study description"),
        Key(_PATIENT_NAME, "PN", _name_key(query.patient_name.strip()), "patient name"),
        Key(_PATIENT_ID, "LO", query.patient_id.strip(), "patient ID"),
        Key(_ISSUER, "LO", query.issuer.strip(), "issuer"),
        Key(_BIRTH_DATE, "DA"),
        Key(_SEX, "CS"),
        Key(STUDY_INSTANCE_UID, "UI", "\\".join(query.study_instance_uids)),
        Key(_STUDY_ID, "SH", query.study_id.strip(), "study ID"),
        Key(_SERIES_IN_STUDY, "IS"),
        Key(_INSTANCES_IN_STUDY, "IS"),
    )


def patient_keys(query: StudyQuery) -> tuple[Key, ...]:
    """Keys of a PATIENT query (PS3.4 C.6.1.1.2) for the patients whose studies are then asked for."""
    return (
        Key(_PATIENT_NAME, "PN", _name_key(query.patient_name.strip()), "patient name"),
        Key(_PATIENT_ID, "LO", query.patient_id.strip(), "patient ID"),
        Key(_ISSUER, "LO", query.issuer.strip(), "issuer"),
    )


def patient_key(patient_id: str) -> Key:
    """Whose the study is, as patient root wants it told at every level."""
    return Key(_PATIENT_ID, "LO", patient_id, "patient ID")


def patient_id_from(answer: Answer) -> str | None:
    """The Patient ID, of which whoever has it must be asked about by; None for one that cannot be asked for."""
    patient_id = answer.text(_PATIENT_ID)
    return patient_id if patient_id and not set("*?\\") & set(patient_id) else None


def _accession_issuer(query: StudyQuery) -> tuple[Key, ...]:
    if not query.accession_number and not query.accession_issuer:
        return ()
    word = "issuer of the accession number"
    return (Key(_ACCESSION_ISSUER, "SQ", keys=(Key(_LOCAL_NAMESPACE, "UT", query.accession_issuer.strip(), word),)),)


def series_keys(study_instance_uid: str) -> tuple[Key, ...]:
    """Keys of a SERIES query within one study."""
    return (
        Key(_MODALITY, "CS"),
        Key(_SERIES_DATE, "DA"),
        Key(_SERIES_TIME, "TM"),
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


def content_keys(study_instance_uid: str, series_instance_uid: str, *, sop_classes: bool) -> tuple[Key, ...]:
    """Keys of an IMAGE query for what a series holds, and nothing more: an archive may have to open every file to tell
    SOP classes."""
    keys = instance_keys(study_instance_uid, series_instance_uid)
    unwanted = {_INSTANCE_NUMBER} if sop_classes else {_INSTANCE_NUMBER, SOP_CLASS_UID}
    return tuple(key for key in keys if key.tag not in unwanted)


def sop_classes_keys(study_instance_uid: str) -> tuple[Key, ...]:
    """Keys of a STUDY query for SOP Classes in Study (PS3.4 C.3.4), which is optional for archives."""
    return Key(STUDY_INSTANCE_UID, "UI", study_instance_uid), Key(_SOP_CLASSES_IN_STUDY, "UI")


def sop_classes_from(study_instance_uid: str, answer: Answer) -> frozenset[str]:
    """The SOP classes of a study; none where the archive does not tell, or speaks of another study."""
    if answer.uid(STUDY_INSTANCE_UID) not in ("", study_instance_uid):
        return frozenset()
    return frozenset(filter(is_uid, answer.texts(_SOP_CLASSES_IN_STUDY)))


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
        accession_issuer=answer.text(nested(_ACCESSION_ISSUER, _LOCAL_NAMESPACE)),
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
        series_date=answer.date(_SERIES_DATE),
        series_time=answer.time(_SERIES_TIME),
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


def _time_range(query: StudyQuery) -> str:
    def written(moment: time | None) -> str:
        return moment.strftime("%H%M%S") if moment else ""

    return f"{written(query.time_from)}-{written(query.time_to)}" if query.time_from or query.time_to else ""


def _name_key(name: str) -> str:
    """An ideographic or phonetic name may stand behind any "=": let the archive find it there; we match it exactly."""
    if not _IDEOGRAPHIC.search(name) or "=" in name:
        return name
    return f"*{name.strip('*')}*"
