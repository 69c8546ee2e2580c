"""Who hears what, when listeners are slow, broken, or call back."""

import threading

from kiosk.operations.facts import (
    BadgeView,
    EndReason,
    Fact,
    Notice,
    OutOfService,
    PersonView,
    PinAsked,
    PinClosed,
    SessionEnded,
    SessionOpened,
)
from kiosk.operations.hub import Hub
from tests.kiosk.access.support import NOON

PERSON = PersonView("ada", "Ada", "radiologist")
BADGE = BadgeView("badge", "…A1B2")
OPENED = SessionOpened("s1", PERSON, BADGE, frozenset(), 300.0, 30.0, NOON)
ENDED = SessionEnded("s1", EndReason.SIGNED_OUT, "You are signed out.")


def test_a_listener_that_raises_keeps_nobody_from_hearing() -> None:
    hub, heard = Hub(), list[Fact]()

    def broken(_: Fact) -> None:
        raise RuntimeError

    hub.subscribe(broken)
    hub.subscribe(heard.append)
    hub.publish(OutOfService("The disk is full."))
    assert heard[-1] == OutOfService("The disk is full.")


def test_what_a_listener_sets_off_comes_after_what_it_heard_for_everybody() -> None:
    hub, heard = Hub(), list[Fact]()
    hub.subscribe(lambda fact: hub.publish(ENDED) if isinstance(fact, SessionOpened) else None)
    hub.subscribe(heard.append)
    hub.publish(OPENED)
    assert heard[-2:] == [OPENED, ENDED]


def test_a_listener_may_call_what_waits_for_a_lock_of_a_publisher() -> None:
    hub, door = Hub(), threading.Lock()
    holding, listening = threading.Event(), threading.Event()

    def calls_back(fact: Fact) -> None:
        if isinstance(fact, Notice):
            listening.set()
            assert holding.wait(60.0)
            with door:
                pass

    def behind_the_door() -> None:
        with door:
            holding.set()
            assert listening.wait(60.0)
            hub.publish(ENDED)

    hub.subscribe(calls_back)
    hub.publish(OPENED)
    threads = [
        threading.Thread(target=behind_the_door, daemon=True),
        threading.Thread(target=lambda: hub.publish(Notice("s1", "hello")), daemon=True),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert not any(thread.is_alive() for thread in threads)


def test_a_late_answer_to_an_old_pin_box_does_not_hide_the_new_one() -> None:
    hub, heard = Hub(), list[Fact]()
    asked = PinAsked("new", PERSON, BADGE, 5)
    hub.publish(asked)
    hub.publish(PinClosed("old"))
    hub.subscribe(heard.append)
    assert asked in heard


def test_nobody_hears_anything_after_they_left() -> None:
    hub, heard = Hub(), list[Fact]()
    leave = hub.subscribe(heard.append)
    leave()
    before = len(heard)
    hub.publish(OPENED)
    assert len(heard) == before
