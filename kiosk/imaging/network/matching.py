"""The same query once more, here: archives ignore keys they do not support (PS3.4 C.2.2.2, C.4.1.1.2.1)."""

import re
import unicodedata
from functools import lru_cache

from kiosk.imaging.studies.model import PersonName, Study, StudyQuery


def matches(study: Study, query: StudyQuery) -> bool:
    """True unless an answer contradicts the query. What the archive did not tell contradicts nothing.

    Names and texts compare without case and accents, as archives may; a modality list holds alternatives.
    """
    return (
        _name_matches(study.patient.name, query.patient_name)
        and _name_matches(study.referring_physician, query.referring_physician)
        and text_matches(study.patient.patient_id, query.patient_id)
        and text_matches(study.patient.issuer, query.issuer)
        and text_matches(study.accession_number, query.accession_number)
        and text_matches(study.accession_issuer, query.accession_issuer)
        and text_matches(study.study_id, query.study_id)
        and (not query.study_instance_uids or study.study_instance_uid in query.study_instance_uids)
        and _time_matches(study, query)
        and text_matches(study.description, query.description)
        and _date_matches(study, query)
        and _modality_matches(study, query)
    )


def modality_unknown(study: Study, query: StudyQuery) -> bool:
    """True when only a look at the study's series can tell whether it has a wanted modality."""
    return bool(query.modalities) and not study.modalities


def _name_matches(name: PersonName, pattern: str) -> bool:
    groups = [group for group in (name.alphabetic, name.ideographic, name.phonetic) if group]
    if not pattern or not groups:
        return True
    wanted = _pattern(pattern)
    return any(wanted.fullmatch(_folded(text)) for text in (*groups, "=".join(groups)))


def text_matches(value: str, pattern: str) -> bool:
    """True unless both are there and differ, wildcards allowed for."""
    return not pattern or not value or _pattern(pattern).fullmatch(_folded(value)) is not None


def _date_matches(study: Study, query: StudyQuery) -> bool:
    if study.study_date is None:
        return True
    return (query.date_from is None or query.date_from <= study.study_date) and (
        query.date_to is None or study.study_date <= query.date_to
    )


def _time_matches(study: Study, query: StudyQuery) -> bool:
    moment = study.study_time
    if moment is None:
        return True
    whole = moment.replace(microsecond=0)
    return (query.time_from is None or query.time_from <= whole) and (query.time_to is None or whole <= query.time_to)


def _modality_matches(study: Study, query: StudyQuery) -> bool:
    return (
        modality_unknown(study, query) or not query.modalities or not set(query.modalities).isdisjoint(study.modalities)
    )


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return re.sub(r"[\s^,]+", "^", bare.casefold()).strip("^")


@lru_cache(maxsize=64)
def _pattern(key: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    # A run of stars is one star: a*a*a*... would otherwise take exponential time.
    folded = re.sub(r"\*+", "*", _folded(key))
    return re.compile("".join(parts.get(character) or re.escape(character) for character in folded), re.DOTALL)
