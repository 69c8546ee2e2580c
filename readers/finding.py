"""What the doctor says: a sentence on a state, and what mends it."""

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What a check came to. ADVICE: all works, and something could be better."""

    OK = "ok"
    WRONG = "wrong"
    ADVICE = "advice"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One check's result: a sentence, and where something is wrong, what mends it."""

    state: State
    sentence: str
    fix: str = ""
