"""Custody: the path of a pushed study through the record, from the tap to the destination, and where it is broken.

What ties the records together: a tap, its PIN and what was done in the session name the session; a push names the query
that found its study; a delivery names the push's job; a proof's nonce was made from the head of the chain.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import Final, Protocol

from kiosk.audit import store
from kiosk.audit.acts import Act, acts, is_login
from kiosk.audit.chain import HASH_SIZE
from kiosk.audit.kept import kept
from kiosk.audit.message import Outcome, PatientRef
from kiosk.audit.record import Record
from kiosk.audit.selection import Selection, StoredRecords, detail, in_body, select, session_of, sift

TAP: Final = "tap"
PIN: Final = "enter_pin"
QUERY: Final = "query"
SERIES: Final = "open_series"
PUSH: Final = "push"
DELIVER: Final = "deliver"
CONFIRM: Final = "confirm"
BACK: Final = 4096
"""So many records before a tap its nonce may have been made: others are written while a card is asked."""


@dataclass(frozen=True)
class Link:
    """One record of the path; `step` says which part of it, `said` what it says there."""

    step: str
    sequence: int
    time: datetime
    hash: bytes
    said: str


@dataclass(frozen=True)
class Custody:
    """The path of one push of a study. `gaps` are sentences, none when it is unbroken."""

    study: str
    job_id: str
    destination: str
    person: str
    badge: tuple[str, ...] = field(repr=False)
    links: tuple[Link, ...]
    gaps: tuple[str, ...]

    @property
    def last(self) -> int:
        """The number of its last record; 0 for none."""
        return max((link.sequence for link in self.links), default=0)


@dataclass
class _Job:
    """What is on record of one push."""

    job_id: str = ""
    push: Act | None = None
    series: list[Act] = field(default_factory=list)
    deliveries: list[Act] = field(default_factory=list)
    others: list[Act] = field(default_factory=list)

    @property
    def records(self) -> Iterator[Record]:
        for act in (*filter(None, (self.push,)), *self.deliveries):
            yield from filter(None, (act.begun, act.ended))

    @property
    def session_id(self) -> str:
        return next((session for record in self.records if (session := session_of(record.entry))), "")

    @property
    def found_by(self) -> str:
        return next((found for record in self.records if (found := detail(record.entry, "found_by"))), "")

    @property
    def destination(self) -> str:
        return next((name for record in self.records if (name := detail(record.entry, "destination"))), "")


def trace(trail: StoredRecords, study: str, cancel: Event | None = None) -> tuple[Custody, ...]:
    """The path of every push of that study, in the order of the pushes; raises TrailError.

    Reads the trail twice, in memory that grows with the pushes of this study and their sessions only.
    """
    of_study = tuple(acts(select(trail, Selection(study=study), cancel=cancel)))
    jobs = _jobs(of_study)
    wanted = {name for job in jobs for name in (job.job_id, job.session_id, job.found_by) if name}
    needles = tuple(map(in_body, wanted))
    around = tuple(
        acts(
            record
            for record in sift(trail, lambda body: any(needle in body for needle in needles), cancel=cancel)
            if _is_around(record, wanted)
        )
    )
    return tuple(_Path(trail, study, job, around).custody() for job in jobs)


def seal(checkpoints: Iterable["Sealing"], custody: Custody) -> int | None:
    """The number of the first checkpoint that signs for the whole path; None when none does yet."""
    return next((checkpoint.number for checkpoint in checkpoints if checkpoint.sequence >= custody.last), None)


class Sealing(Protocol):
    """What signs for the records up to `sequence`, such as a Checkpoint."""

    @property
    def number(self) -> int:
        """Its number."""

    @property
    def sequence(self) -> int:
        """The last record that it signs for."""


def _is_around(record: Record, wanted: set[str]) -> bool:
    entry = record.entry
    if entry.act in (TAP, PIN):
        return session_of(entry) in wanted
    return (entry.act == QUERY and entry.act_id in wanted) or detail(entry, "job") in wanted


def _is_of(act: Act, job: _Job) -> bool:
    return bool(job.job_id) and detail(act.entry, "job") == job.job_id


def _jobs(of_study: tuple[Act, ...]) -> list[_Job]:
    """The pushes among the acts about a study: by their job, and begun ones whose job nobody wrote down."""
    jobs: dict[str, _Job] = {}
    for act in of_study:
        job_id = detail(act.entry, "job")
        if act.entry.act == DELIVER and job_id:
            jobs.setdefault(job_id, _Job(job_id)).deliveries.append(act)
        elif act.entry.act == PUSH and job_id:
            jobs.setdefault(job_id, _Job(job_id)).push = act
    found = list(jobs.values())
    for act in of_study:
        if act.entry.act == PUSH and act.ended is None:
            _adopt(found, act)
    for job in found:
        job.deliveries.sort(key=lambda act: act.first)
        opened = (act for act in of_study if act.entry.act == SERIES and session_of(act.entry) == job.session_id)
        job.series = [act for act in opened if job.push and act.first < job.push.first]
    return sorted(found, key=lambda job: min((record.sequence for record in job.records), default=0))


def _adopt(found: list[_Job], push: Act) -> None:
    """A push whose end is missing belongs to deliveries of that session to that destination that no push began."""
    whither = (session_of(push.entry), detail(push.entry, "destination"))
    for job in found:
        if job.push is None and (job.session_id, job.destination) == whither:
            job.push = push
            return
    found.append(_Job(push=push))


class _Path:
    """Follows one push from link to link."""

    def __init__(self, trail: StoredRecords, study: str, job: _Job, around: tuple[Act, ...]) -> None:
        self._trail = trail
        self._study = study
        self._job = job
        session_id = job.session_id
        session = [act for act in around if session_id and session_of(act.entry) == session_id]
        self._taps = [act for act in session if act.entry.act == TAP]
        self._pins = [act for act in session if act.entry.act == PIN]
        self._query = next((act for act in around if act.entry.act_id == job.found_by), None)
        later = [act for act in around if act.entry.act not in (PUSH, DELIVER) and _is_of(act, job)]
        self._confirmations = [act for act in later if act.entry.act == CONFIRM]
        self._others = [act for act in later if act.entry.act != CONFIRM]
        self._links: list[Link] = []
        self._gaps: list[str] = []

    def custody(self) -> Custody:
        """The path, and every gap in it."""
        self._tap()
        self._decision()
        self._found()
        for act in self._job.series:
            self._act("opened", act)
        self._push()
        self._delivered()
        for act in self._others:
            self._act(act.entry.act.replace("_", " "), act, "what was done with the push later")
        self._kept()
        self._is_one_person()
        self._is_confirmed_in_turn()
        self._is_one_patient()
        person = next((record.entry.actor for record in self._job.records), None)
        return Custody(
            self._study,
            self._job.job_id,
            self._job.destination,
            "" if person is None else person.user_id,
            () if person is None else person.badge,
            tuple(sorted(self._links, key=lambda link: link.sequence)),
            tuple(self._gaps),
        )

    def _tap(self) -> None:
        tap = self._taps[0] if self._taps else None
        if tap is None or tap.begun is None:
            self._gaps.append("The tap with which the session began is not on record.")
        if tap is not None and tap.ended is None:
            self._gaps.append("What was decided when the badge was tapped is not on record.")
        if tap is None or tap.begun is None:
            return
        self._link("tap", tap.begun)
        self._proof(tap.begun)

    def _proof(self, tap: Record) -> None:
        proof = tap.entry.proof
        if proof is None:
            self._link("proof", tap, "none: this badge says a number and proves nothing")
            return
        # Only a trail with proofs needs the cryptography library.
        from kiosk.audit.proofs import ProofState, check

        state = check(proof)
        made_at = self._place_of(proof.binding[:HASH_SIZE], tap.sequence)
        where = "" if made_at is None else f", signed over the chain as it stood at record {made_at}"
        self._link("proof", tap, f"{proof.algorithm} {state.value}{where}")
        if state is ProofState.FAILS:
            self._gaps.append(f"The proof in record {tap.sequence} does not hold.")
        elif made_at is None:
            self._gaps.append(f"The proof in record {tap.sequence} was not made on this trail.")

    def _place_of(self, value: bytes, before: int) -> int | None:
        """The last record before that place with that hash; that of the trail's beginning is 0 or gone."""
        beginning = self._trail.beginning()
        stop, end = max(beginning.sequence, before - BACK), before
        while end > stop + 1:
            start = max(stop + 1, end - store.BATCH)
            place = start
            while place < end:
                rows = self._trail.rows(place, end - place)
                for row in rows:
                    if row.hash == value and row.sequence < before:
                        return row.sequence
                if not rows:
                    break
                place = rows[-1].sequence + 1
            end = start
        return stop if stop == beginning.sequence and value == beginning.hash else None

    def _decision(self) -> None:
        tap = self._taps[0] if self._taps else None
        if tap is not None and tap.ended is not None:
            self._link("decision", tap.ended)
            if is_login(tap.ended.entry):
                return
        for pin in self._pins:
            if pin.begun is not None:
                self._link("PIN", pin.begun)
            if pin.ended is not None:
                self._link("decision", pin.ended)
        if not self._pins and tap is not None and tap.ended is not None:
            self._gaps.append("A PIN was needed, and that one was entered is not on record.")
        if any(pin.begun is None for pin in self._pins):
            self._gaps.append("That a PIN was entered is not on record, only what came of it.")
        if self._pins and not any(pin.ended and is_login(pin.ended.entry) for pin in self._pins):
            self._gaps.append("That the PIN was right and the person was let in is not on record.")

    def _found(self) -> None:
        if not self._job.found_by:
            if self._job.push is not None:
                self._gaps.append("The push does not say which query found the study.")
            return
        query = self._query
        if query is None:
            self._gaps.append("The query that found the study is not on record.")
            return
        self._act("query", query, "the query that found the study")
        if session_of(query.entry) != self._job.session_id:
            self._gaps.append("The query that found the study is of another session.")

    def _push(self) -> None:
        push = self._job.push
        if push is None:
            self._gaps.append("The push is not on record, only its delivery.")
            return
        self._act("push", push, "the push")

    def _delivered(self) -> None:
        deliveries = self._job.deliveries
        if not deliveries:
            self._gaps.append("The study was not delivered: no delivery of this push is on record.")
            return
        for act in deliveries:
            self._act("delivery", act, "the delivery")
        last = deliveries[-1].ended
        if last is None:
            return
        archive, count, sent = (detail(last.entry, key) for key in ("archive", "retrieved", "sent"))
        if not archive or not count:
            self._gaps.append("The delivery does not say what was retrieved, and from where.")
        else:
            self._link("retrieve", last, f"{count} instances came from {archive}")
            self._link("sent", last, f"{sent} instances went to {self._job.destination}")
        if last.entry.outcome is not Outcome.SUCCESS:
            self._gaps.append(f"The delivery did not go through: {last.entry.summary.rstrip('.')}.")

    def _kept(self) -> None:
        """What the destination said of keeping it, storage commitment or a list of its own, where that was asked."""
        for act in self._confirmations:
            self._act("confirm", act, "the confirmation")
        told = [act.ended for act in (*self._job.deliveries, *self._confirmations) if act.ended is not None]
        if not told:
            return
        last = max(told, key=lambda record: record.sequence)
        found = kept(last.entry, self._job.destination)
        for step, said in found.said:
            self._link(step, last, said)
        self._gaps.extend(found.gaps)

    def _is_one_person(self) -> None:
        """Everything was done by the one who was let in, with the badge that was tapped."""
        single = (act for act in (self._query, self._job.push) if act is not None)
        chosen = [*self._taps[:1], *self._pins, *single, *self._job.deliveries]
        if len({act.entry.actor.badge for act in chosen}) > 1:
            self._gaps.append("The path leads over different badges.")
        known = {act.entry.actor.user_id for act in chosen if act.ended is not None or act.entry.act != TAP}
        if len(known) > 1:
            self._gaps.append("The path leads over different people.")
        begun = [act.first for act in chosen if act.begun is not None]
        if begun != sorted(begun):
            self._gaps.append("The path does not lead forward: something was done before what it follows from.")

    def _is_confirmed_in_turn(self) -> None:
        """Confirmations are asked for in the name of the same person, and after something was delivered."""
        if not self._confirmations:
            return
        known = {(act.entry.actor.user_id, act.entry.actor.badge) for act in self._job.deliveries}
        asked = {(act.entry.actor.user_id, act.entry.actor.badge) for act in self._confirmations}
        if known and asked != known:
            self._gaps.append("Who confirmed the delivery is not who delivered.")
        if self._job.deliveries and min(act.first for act in self._confirmations) < self._job.deliveries[0].first:
            self._gaps.append("The confirmation stands before the delivery.")

    def _is_one_patient(self) -> None:
        patients: set[PatientRef] = {r.entry.patient for r in self._job.records if r.entry.patient is not None}
        if len(patients) > 1:
            self._gaps.append("The push and its delivery name different patients.")

    def _act(self, step: str, act: Act, name: str = "") -> None:
        """Both records of an act, or the sentence that says which is missing."""
        if act.begun is not None:
            self._link(step, act.begun)
        elif name:
            self._gaps.append(f"The beginning of {name} is not on record.")
        if act.ended is not None:
            self._link(step, act.ended)
        elif name:
            self._gaps.append(f"The end of {name} is not on record.")

    def _link(self, step: str, record: Record, said: str = "") -> None:
        self._links.append(Link(step, record.sequence, record.time, record.hash, said or record.entry.summary))
