"""Rows of several archives as one list."""

import time
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from threading import Event

import pytest

from kiosk.errors import Cancelled, PeerUnreachable
from kiosk.imaging.calls import Found
from kiosk.imaging.studies.model import Patient, PersonName, Study
from kiosk.operations.union import Union

PATIENT = Patient("P1", "Hospital A", PersonName("Doe^Jane"), None, "F")
STUDY = Study("1.2", PATIENT, None, None, "A1", "", ("CT",), PersonName(), "", 1, 2, "far")


def say(*studies: Study, more: bool = False) -> object:
    def ask(stop: Event) -> Generator[Study, None, Found]:
        yield from studies
        return Found(len(studies), more)

    return ask


def never(ended: Event, stop: Event) -> Generator[Study, None, Found]:
    """An archive that answers nothing until it is told to stop."""
    stop.wait(60)
    ended.set()
    raise Cancelled
    yield


def refuse(stop: Event) -> Generator[Study, None, Found]:
    raise PeerUnreachable("far is not there.")
    yield


def run(limit: int = 100, **asks: object) -> tuple[dict[str, Study], Union]:
    union = Union(asks, limit)  # type: ignore[arg-type] # fakes
    return {row.study_instance_uid: row for row in union.run(Event())}, union


def test_a_study_in_two_archives_is_one_row_that_names_both() -> None:
    rows, union = run(near=say(replace(STUDY, archive="near")), far=say(STUDY))
    assert rows == {"1.2": replace(STUDY, archive="near", also_in=("far",))}
    assert rows["1.2"].archives == ("near", "far")
    assert union.count == 1


def test_an_archive_that_says_nothing_holds_no_row_of_the_others_up() -> None:
    ended = Event()
    union = Union({"dead": partial(never, ended), "far": say(STUDY)}, 100)  # type: ignore[dict-item] # fakes
    cancel = Event()
    rows = union.run(cancel)
    assert next(rows) == STUDY
    cancel.set()
    with pytest.raises(Cancelled):
        next(rows)
    assert ended.wait(30)


def test_rows_that_nobody_reads_on_stop_the_archives() -> None:
    ended = Event()
    rows = Union({"dead": partial(never, ended), "far": say(STUDY)}, 100).run(Event())  # type: ignore[dict-item] # fakes
    next(rows)
    started = time.monotonic()
    rows.close()
    assert ended.wait(30)
    assert time.monotonic() - started < 30


def test_an_archive_that_fails_is_a_note() -> None:
    rows, union = run(far=say(STUDY), gone=refuse)
    assert list(rows) == ["1.2"]
    assert list(union.failed) == ["gone"]
    assert union.notes() == ("far is not there.",)


def test_the_limit_counts_studies_and_not_answers() -> None:
    others = [replace(STUDY, study_instance_uid=f"1.2.{number}", accession_number="") for number in range(3)]
    ended = Event()
    rows, union = run(
        3,
        near=say(*others, *(replace(one, archive="near", series_count=7) for one in others)),
        dead=partial(never, ended),
        far=say(*others, STUDY),
    )
    assert len(rows) == 3
    assert union.more
    assert ended.wait(30)


def test_one_uid_of_two_patients_is_never_joined() -> None:
    other = replace(STUDY, archive="near", patient=replace(PATIENT, patient_id="P2"))
    rows, union = run(near=say(other), far=say(STUDY))
    assert rows["1.2"] == other
    assert union.notes() == ("1 study is another patient's in another archive.",)


def test_a_shared_accession_number_and_a_bare_patient_id_are_said_to_be_no_one_thing() -> None:
    second = replace(STUDY, study_instance_uid="1.3")
    third = replace(
        STUDY, study_instance_uid="1.4", patient=replace(PATIENT, issuer="Hospital B"), accession_issuer="B"
    )
    rows, union = run(far=say(STUDY, second, third))
    assert len(rows) == 3
    assert union.notes() == (
        "1 accession number holds several studies.",
        "1 Patient ID has several issuers: not one patient.",
    )
