"""Audit messages, entries and proofs of any text that a hostile archive, card or directory could send."""

from hypothesis import strategies as st

from kiosk.audit import (
    ActiveParticipant,
    Actor,
    AuditMessage,
    AuditSource,
    Code,
    Entry,
    Outcome,
    ParticipantObject,
    PatientRef,
    Phase,
    RecordedProof,
    SopClassCount,
)

# Any code point at all: control characters, lone surrogates, U+FFFE and U+FFFF, markup.
NASTY = st.sampled_from(
    ["\x00", "\x1b]52;c;x\x07", "\ud800", "\ufffe", "\uffff", "]]>", "<&\"'>", "\r\n", "\u202e", "\x85"]
)
TEXT = st.one_of(st.text(st.characters(exclude_categories=()), max_size=12), NASTY)
CODES = st.builds(Code, TEXT, TEXT, TEXT)
PARTICIPANTS = st.builds(
    ActiveParticipant,
    user_id=TEXT,
    alternative_user_id=TEXT,
    user_name=TEXT,
    is_requestor=st.just(False),
    roles=st.lists(CODES, max_size=2).map(tuple),
    network_access_point=TEXT,
    network_access_point_type=st.one_of(st.none(), st.integers(1, 5)),
    media=st.one_of(st.none(), CODES),
)
OBJECTS = st.builds(
    ParticipantObject,
    object_id=TEXT,
    id_type=CODES,
    type_code=st.integers(1, 4),
    role=st.integers(1, 26),
    life_cycle=st.one_of(st.none(), st.integers(1, 15)),
    name=TEXT,
    query=st.one_of(st.none(), st.binary(max_size=40)),
    details=st.lists(st.tuples(TEXT, st.binary(max_size=20)), max_size=2).map(tuple),
    accession_numbers=st.lists(TEXT, max_size=2).map(tuple),
    sop_classes=st.lists(st.builds(SopClassCount, TEXT, st.integers(0, 10**6)), max_size=2).map(tuple),
    studies=st.lists(TEXT, max_size=2).map(tuple),
)
MESSAGES = st.builds(
    AuditMessage,
    event_id=CODES,
    action=st.sampled_from("CRUDE"),
    outcome=st.sampled_from(Outcome),
    event_types=st.lists(CODES, max_size=2).map(tuple),
    outcome_description=TEXT,
    participants=st.lists(PARTICIPANTS, min_size=1, max_size=3).map(tuple),
    objects=st.lists(OBJECTS, max_size=3).map(tuple),
)
SOURCES = st.builds(AuditSource, TEXT, TEXT, st.sampled_from("123456789"))
ACTORS = st.builds(
    Actor,
    st.sampled_from(["session", "delegation", "system", "unix"]),
    TEXT,
    TEXT,
    st.lists(TEXT, max_size=2).map(tuple),
    TEXT,
    TEXT,
)
PROOFS = st.builds(RecordedProof, TEXT, st.binary(max_size=16), st.binary(max_size=64), st.binary(max_size=65))
ENTRIES = st.builds(
    Entry,
    act=TEXT,
    act_id=TEXT,
    phase=st.sampled_from(Phase),
    actor=ACTORS,
    summary=TEXT,
    outcome=st.sampled_from(Outcome),
    messages=st.lists(MESSAGES, max_size=2).map(tuple),
    proof=st.one_of(st.none(), PROOFS),
    details=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    patient=st.one_of(st.none(), st.builds(PatientRef, TEXT, TEXT, TEXT)),
)
