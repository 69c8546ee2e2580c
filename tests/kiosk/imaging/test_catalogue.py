"""What was retrieved is known until its session ends, and not a moment longer."""

import gc
from dataclasses import replace

from kiosk.imaging.catalogue import Catalogue, Keep, KeptInstance
from kiosk.imaging.studies.model import Series
from tests import phantoms

STUDY = phantoms.study(0)
SERIES = phantoms.series_of(STUDY)


class Watch:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _kept(number: int, size: int = 10) -> KeptInstance:
    return KeptInstance(f"{number:032x}", f"1.2.{number}", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", size)


def _filled(catalogue: Catalogue, session: str, series: Series, *numbers: int, size: int = 10) -> None:
    for number in numbers:
        catalogue.add(session, STUDY, series, _kept(number, size))


def test_what_came_is_found_again_in_its_own_session_only() -> None:
    catalogue = Catalogue(Watch())
    _filled(catalogue, "s1", SERIES[0], 2, 1)
    _filled(catalogue, "s2", SERIES[1], 3)
    uid = SERIES[0].series_instance_uid
    assert catalogue.instances("s1", uid) == (_kept(1), _kept(2))
    assert catalogue.instances("s2", uid) == ()
    (one,) = catalogue.series("s1")
    assert (one.study, one.series, one.instances, one.size) == (STUDY, SERIES[0], 2, 20)


def test_the_end_of_a_session_takes_all_of_it_and_nothing_of_another() -> None:
    catalogue = Catalogue(Watch())
    _filled(catalogue, "s1", SERIES[0], 1, 2)
    _filled(catalogue, "s2", SERIES[0], 1)
    catalogue.end("s1")
    assert catalogue.series("s1") == ()
    assert catalogue.instances("s1", SERIES[0].series_instance_uid) == ()
    assert catalogue.sessions() == ("s2",)


def test_the_same_instance_twice_is_one() -> None:
    catalogue = Catalogue(Watch())
    _filled(catalogue, "s1", SERIES[0], 1, 1, 1)
    assert catalogue.series("s1")[0].instances == 1


def test_a_series_that_nobody_looks_at_becomes_too_old_and_one_that_is_used_does_not() -> None:
    watch = Watch()
    catalogue = Catalogue(watch, Keep(seconds=60.0))
    _filled(catalogue, "s1", SERIES[0], 1)
    _filled(catalogue, "s1", SERIES[1], 2)
    watch.now += 50
    catalogue.use("s1", SERIES[1].series_instance_uid)
    watch.now += 20
    assert catalogue.overdue("s1") == (SERIES[0].series_instance_uid,)


def test_when_all_are_too_large_those_used_longest_ago_go_and_the_current_one_stays() -> None:
    watch = Watch()
    catalogue = Catalogue(watch, Keep(size=100))
    for number, series in enumerate(SERIES[:3]):
        watch.now += 1
        _filled(catalogue, "s1", series, number, size=60)
    first, second, third = (series.series_instance_uid for series in SERIES[:3])
    assert catalogue.overdue("s1", third) == (first, second)
    assert catalogue.overdue("s1", first) == (second, third)


def test_a_forgotten_series_names_the_files_to_remove() -> None:
    catalogue = Catalogue(Watch())
    _filled(catalogue, "s1", SERIES[0], 1, 2)
    uid = SERIES[0].series_instance_uid
    assert catalogue.forget("s1", uid) == (_kept(1).file, _kept(2).file)
    assert catalogue.forget("s1", uid) == ()


def test_nothing_of_a_patient_is_left_in_the_database_of_an_ended_session() -> None:
    catalogue = Catalogue(Watch())
    marked = replace(STUDY, patient=replace(STUDY.patient, patient_id="UNMISTAKABLE-4711"))
    catalogue.add("s1", marked, SERIES[0], _kept(1))
    assert b"UNMISTAKABLE-4711" in catalogue._database.serialize()
    catalogue.end("s1")
    gc.collect()
    assert b"UNMISTAKABLE-4711" not in catalogue._database.serialize()
