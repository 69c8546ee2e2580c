"""Queries to Orthanc beside findscu: two thousand studies with their counts, and one study, association included."""

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from threading import Event
from time import perf_counter

from kiosk.imaging.network.find import find_studies
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import StudyQuery
from tests.bench.row import row
from tests.peers import ct_instance, fill, run_orthanc

STUDIES = 2000
ROUNDS = 7
KEYS = (
    "StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "ReferringPhysicianName", "StudyDescription",
    "PatientName", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
    "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
)  # fmt: skip
Timing = tuple[float, float, int]
"""Seconds to the first row and to the end, and how many rows there were."""


def ours(peer: Peer, patient_id: str) -> Timing:
    """The kiosk's own client, in this process, as its worker runs it."""
    started = perf_counter()
    first, count = 0.0, 0
    for _ in find_studies(peer, StudyQuery(patient_id=patient_id), STUDIES + 1, Event()):
        first = first or perf_counter() - started
        count += 1
    return first, perf_counter() - started, count


def findscu(peer: Peer, variables: dict[str, str], patient_id: str) -> Timing:
    """A findscu process that asks for the same keys and prints the rows."""
    keys = [part for key in KEYS for part in ("-k", key)]
    command = ["findscu", "-v", "-S", "-aec", peer.ae_title, "-k", "QueryRetrieveLevel=STUDY", *keys]
    command += ["-k", f"PatientID={patient_id}", peer.host, str(peer.port)]
    started = perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | variables
    )
    first, count = 0.0, 0
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if b"Find Response:" in line and b"Final" not in line:
                first = first or perf_counter() - started
                count += 1
    if process.wait(60):
        raise RuntimeError("findscu failed")
    return first, perf_counter() - started, count


def rows() -> Iterator[dict[str, object]]:
    """First row and whole answer of many studies, and one study; rates, so that more is better."""
    with run_orthanc() as server:
        datasets = [ct_instance(PatientID=f"Q{number:05}", PatientName=f"Query^{number}") for number in range(STUDIES)]
        fill(server.peer, datasets)
        shipped = partial(findscu, server.peer, {})
        at_once = partial(findscu, server.peer, {"TCP_NODELAY": "1"})
        many = _rounds(server.peer, "Q*", STUDIES, shipped, at_once)
        for place, name, goal in ((0, "first row", 1.0), (1, "whole answer", 1 / 0.9)):
            # The better of the two clients, not of each round's two tries: those would be best of two against one.
            better = min((0, 1), key=lambda client: median(theirs[client][place] for _, theirs in many))
            timed = [(1 / mine[place], 1 / theirs[better][place]) for mine, theirs in many]
            yield row(f"C-FIND of {STUDIES} studies, {name}", "the better findscu", "1/s", round(goal, 2), timed)
        one = _rounds(server.peer, "Q00777", 1, at_once)
        timed = [(1 / mine[1], 1 / theirs[0][1]) for mine, theirs in one]
        yield row("C-FIND of one study with its association", "findscu with TCP_NODELAY=1", "1/s", 6.67, timed)


def _rounds(
    peer: Peer, patient_id: str, count: int, *clients: Callable[[str], Timing]
) -> list[tuple[Timing, list[Timing]]]:
    rounds = []
    for number in range(ROUNDS + 1):
        taken = ours(peer, patient_id), [client(patient_id) for client in clients]
        if any(timing[2] != count for timing in (taken[0], *taken[1])):
            raise RuntimeError(f"Not every study came: {[timing[2] for timing in (taken[0], *taken[1])]}")
        if number:  # the first warms both
            rounds.append(taken)
    return rounds
