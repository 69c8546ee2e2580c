"""C-FIND at any level of patient root or study root, relational where the archive grants it (PS3.4 C.5.1)."""

import re
from collections.abc import Generator
from threading import Event
from typing import Final

from kiosk.errors import ImagingError, PeerLacks
from kiosk.imaging.calls import Found
from kiosk.imaging.lookups import BY_KEYWORD, Attribute, Lookup, Match
from kiosk.imaging.network.association import Context, associate
from kiosk.imaging.network.find import Notes, Query
from kiosk.imaging.network.identifiers import Answer, Key
from kiosk.imaging.network.matching import text_matches
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

RELATIONAL: Final = b"\x01"
_RANGE: Final = re.compile(r"([0-9.:]*)-([0-9.:]*)", re.ASCII)


def look_up(peer: Peer, lookup: Lookup, limit: int, cancel: Event) -> Generator[Match, None, Found]:
    """Answers that do not contradict the keys, at most `limit`. Raises PeerLacks where it takes relational queries and
    the archive has none, and ImagingError for what cannot be asked."""
    if lookup.fault:
        raise ImagingError(lookup.fault)
    root = lookup.root
    extended = RELATIONAL if lookup.is_relational else b""
    context = Context(root.sop_class_uid, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN), extended=extended)
    given = dict(lookup.keys)
    keys = tuple(Key(one.tag, one.vr, given.get(one.keyword, ""), one.keyword) for one in lookup.attributes())
    notes, more = Notes(peer), False
    seen: set[Match] = set()
    with associate(peer, [context], cancel) as association:
        if lookup.is_relational and association.extended.get(root.sop_class_uid, b"")[:1] != RELATIONAL:
            above = " and ".join(level.value.casefold() for level in lookup.above) or "patient"
            raise PeerLacks(f"{peer} grants no relational queries ({root.value}): name the {above} by its unique key.")
        operation = Query(association, lookup.level.value, keys, notes)
        for answer in operation:
            if not all(_agrees(answer, BY_KEYWORD[keyword], value) for keyword, value in lookup.keys):
                continue
            match = Match(tuple((one.keyword, _shown(answer, one)) for one in lookup.attributes()))
            if match in seen:  # some archives answer once for every instance below
                continue
            if len(seen) >= limit:
                more = True
                operation.cancel()
                break
            seen.add(match)
            yield match
        return Found(len(seen), more or notes.cut, notes.sentences(), notes.broken)


def _shown(answer: Answer, attribute: Attribute) -> str:
    if attribute.keyword.startswith("NumberOf"):
        count = answer.count(attribute.tag)
        return "" if count is None else str(count)
    return "\\".join(answer.texts(attribute.tag))


def _agrees(answer: Answer, attribute: Attribute, key: str) -> bool:
    """True unless the answer contradicts the key, which an archive may have ignored."""
    values = answer.texts(attribute.tag)
    if not key or not values or attribute.keyword.startswith("NumberOf"):
        return True
    if attribute.vr == "UI":
        return not set(values).isdisjoint(key.split("\\"))
    if attribute.vr in ("DA", "TM"):
        return _within(values[0].replace(":", "").replace(".", ""), key.replace(":", "").replace(".", ""))
    if attribute.vr == "IS":
        return values[0].lstrip("0") == key.strip().lstrip("0")
    return any(text_matches(value, part) for value in values for part in key.split("\\"))


def _within(value: str, key: str) -> bool:
    found = _RANGE.fullmatch(key)
    first, last = (found[1], found[2]) if found else (key, key)
    # A shorter end of a range stands for all that begins with it: 12 is until 12:59:59.
    return value[: len(first)] >= first and (not last or value[: len(last)] <= last)
