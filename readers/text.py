"""The border that every foreign string crosses before anyone shows, logs or stores it.

Names on cards, in archives, files and directories may hold escape sequences that repaint the screen or write the
clipboard, marks that turn text around, and characters that nobody can see. `safe_text` leaves only what prints.
"""

import re
import unicodedata

from wcwidth import wcwidth

ELLIPSIS = "…"
MARKS_PER_BASE = 4
SEQUENCE_ROUNDS = 8
INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"  # joiners and fillers that draw nothing
    + "".join(map(chr, range(0xFE00, 0xFE10)))  # variation selectors
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
BREAKS = frozenset("\t\n\v\f\r\x85\u2028\u2029")
DROPPED_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))

# ECMA-48 5.4 (CSI), 5.6 (control strings), ISO/IEC 2022 13.2 (nF, Fp, Fe, Fs), each by its 7-bit or 8-bit introducer.
# A control string without its end loses only its introducer: the rest may be somebody's name.
SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[PX\]^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]+[0-~]?"
    r"|\x1b[0-~]"
)


def safe_text(value: str | bytes, limit: int = 256) -> str:
    """`value` as at most `limit` printable characters in normal form C; never raises; a second pass changes nothing.

    Escape sequences, control, bidirectional, zero-width, private and unassigned characters go; line breaks and every
    kind of space become a plain space; no base carries more than four combining marks. Bytes are read as UTF-8.
    """
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    text = text[: max(4 * limit, 0) + 1024]
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    for _ in range(SEQUENCE_ROUNDS):
        text, found = SEQUENCE.subn("", text)
        if not found:
            break
    kept = "".join(filter(None, map(_visible, text)))
    kept = _limit_marks(unicodedata.normalize("NFC", kept))
    if len(kept) > limit:
        kept = kept[: limit - 1] + ELLIPSIS if limit > 0 else ""
    return kept


def cell_width(text: str) -> int:
    """Terminal cells that `text` covers; characters that do not print count nothing."""
    return sum(max(0, wcwidth(character)) for character in text)


def clip(text: str, cells: int) -> str:
    """The longest beginning of `text` that fits into `cells` terminal cells, with an ellipsis when something is cut."""
    if cell_width(text) <= cells:
        return text
    room = cells - cell_width(ELLIPSIS)
    if room < 0:
        return ""
    end = 0
    for character in text:
        room -= max(0, wcwidth(character))
        if room < 0:
            break
        end += 1
    return text[:end] + ELLIPSIS


def _visible(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if character in BREAKS:
        return " "
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    return "" if category in DROPPED_CATEGORIES or character in INVISIBLE else character


def _limit_marks(text: str) -> str:
    """Marks before any base would settle on whatever is printed in front, so those go too."""
    kept: list[str] = []
    marks = MARKS_PER_BASE
    for character in text:
        if unicodedata.category(character).startswith("M"):
            marks += 1
            if marks > MARKS_PER_BASE:
                continue
        else:
            marks = 0
        kept.append(character)
    return "".join(kept)
