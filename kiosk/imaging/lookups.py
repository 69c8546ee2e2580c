"""Queries at any level of either information model (PS3.4 C.6), as a person of the archive's side asks them."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final


class Root(Enum):
    """The information model, by its name in a sentence."""

    STUDY = "study root"
    PATIENT = "patient root"

    @property
    def sop_class_uid(self) -> str:
        """Its FIND SOP class."""
        return "1.2.840.10008.5.1.4.1.2.2.1" if self is Root.STUDY else "1.2.840.10008.5.1.4.1.2.1.1"


class Level(Enum):
    """Query/Retrieve Level (0008,0052), from the top."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


LEVELS: Final = tuple(Level)


@dataclass(frozen=True)
class Attribute:
    """A key attribute; of a level the unique key comes first."""

    keyword: str
    tag: int
    vr: str
    level: Level


ATTRIBUTES: Final = (
    Attribute("PatientID", 0x00100020, "LO", Level.PATIENT),
    Attribute("PatientName", 0x00100010, "PN", Level.PATIENT),
    Attribute("IssuerOfPatientID", 0x00100021, "LO", Level.PATIENT),
    Attribute("PatientBirthDate", 0x00100030, "DA", Level.PATIENT),
    Attribute("PatientSex", 0x00100040, "CS", Level.PATIENT),
    Attribute("NumberOfPatientRelatedStudies", 0x00201200, "IS", Level.PATIENT),
    Attribute("NumberOfPatientRelatedSeries", 0x00201202, "IS", Level.PATIENT),
    Attribute("NumberOfPatientRelatedInstances", 0x00201204, "IS", Level.PATIENT),
    Attribute("StudyInstanceUID", 0x0020000D, "UI", Level.STUDY),
    Attribute("StudyDate", 0x00080020, "DA", Level.STUDY),
    Attribute("StudyTime", 0x00080030, "TM", Level.STUDY),
    Attribute("AccessionNumber", 0x00080050, "SH", Level.STUDY),
    Attribute("ModalitiesInStudy", 0x00080061, "CS", Level.STUDY),
    Attribute("ReferringPhysicianName", 0x00080090, "PN", Level.STUDY),
    Attribute("StudyDescription", 0x00081030, "LO", Level.STUDY),
    Attribute("StudyID", 0x00200010, "SH", Level.STUDY),
    Attribute("NumberOfStudyRelatedSeries", 0x00201206, "IS", Level.STUDY),
    Attribute("NumberOfStudyRelatedInstances", 0x00201208, "IS", Level.STUDY),
    Attribute("SeriesInstanceUID", 0x0020000E, "UI", Level.SERIES),
    Attribute("SeriesDate", 0x00080021, "DA", Level.SERIES),
    Attribute("SeriesTime", 0x00080031, "TM", Level.SERIES),
    Attribute("Modality", 0x00080060, "CS", Level.SERIES),
    Attribute("SeriesDescription", 0x0008103E, "LO", Level.SERIES),
    Attribute("BodyPartExamined", 0x00180015, "CS", Level.SERIES),
    Attribute("SeriesNumber", 0x00200011, "IS", Level.SERIES),
    Attribute("NumberOfSeriesRelatedInstances", 0x00201209, "IS", Level.SERIES),
    Attribute("SOPInstanceUID", 0x00080018, "UI", Level.IMAGE),
    Attribute("SOPClassUID", 0x00080016, "UI", Level.IMAGE),
    Attribute("InstanceNumber", 0x00200013, "IS", Level.IMAGE),
)
BY_KEYWORD: Final = {attribute.keyword: attribute for attribute in ATTRIBUTES}
UNIQUE: Final = {level: next(one for one in ATTRIBUTES if one.level is level) for level in Level}


@dataclass(frozen=True)
class Lookup:
    """What is asked for: values by the keyword of one of ATTRIBUTES, with * and ?, ranges and lists of UIDs as the
    standard has them (PS3.4 C.2.2.2)."""

    root: Root
    level: Level
    keys: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def fault(self) -> str:
        """Why it cannot be asked, empty where it can."""
        if self.root is Root.STUDY and self.level is Level.PATIENT:
            return "Study root knows no patients: ask for them under patient root."
        for keyword, _ in self.keys:
            attribute = BY_KEYWORD.get(keyword)
            if attribute is None:
                return f"There is no key of that name. Keys are: {', '.join(BY_KEYWORD)}"
            if LEVELS.index(attribute.level) > LEVELS.index(self.level):
                return f"{keyword} belongs to the {attribute.level.value} level, below {self.level.value}."
        return ""

    @property
    def above(self) -> tuple[Level, ...]:
        """The levels above its own; under study root a patient's attributes are the study's (PS3.4 C.6.2.1)."""
        highest = 1 if self.root is Root.STUDY else 0
        return LEVELS[highest : LEVELS.index(self.level)]

    @property
    def is_relational(self) -> bool:
        """True for what only an archive with relational queries answers: above its level something else is asked for
        than one patient, study and series by their unique keys (PS3.4 C.4.1.2.2, C.4.1.3.2)."""
        given = {keyword: value for keyword, value in self.keys if value}
        unique = {UNIQUE[level].keyword for level in self.above}
        named = all(given.get(keyword) and not set("*?\\") & set(given[keyword]) for keyword in unique)
        others = given.keys() - unique
        return not named or any(self._is_above(BY_KEYWORD[keyword]) for keyword in others if keyword in BY_KEYWORD)

    def attributes(self) -> tuple[Attribute, ...]:
        """What is asked to be told: of its level, and the unique keys above it; with relational queries everything but
        the counts of the levels above."""
        return tuple(
            attribute
            for attribute in ATTRIBUTES
            if (not self._is_above(attribute) and LEVELS.index(attribute.level) <= LEVELS.index(self.level))
            or attribute in (UNIQUE[level] for level in self.above)
            or (self.is_relational and self._is_above(attribute) and not attribute.keyword.startswith("NumberOf"))
        )

    def _is_above(self, attribute: Attribute) -> bool:
        own = LEVELS[:2] if self.root is Root.STUDY and self.level is Level.STUDY else (self.level,)
        return attribute.level not in own and LEVELS.index(attribute.level) < LEVELS.index(self.level)


@dataclass(frozen=True)
class Match:
    """An answer: what the archive told, by keyword, safe to show."""

    values: tuple[tuple[str, str], ...] = field(repr=False)
