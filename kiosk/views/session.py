"""The session as its bar shows it."""

from kiosk.operations.facts import BadgeView, PinAsked, SessionOpened, TimeLeft
from kiosk.views.quantities import duration_text
from kiosk.views.text import joined, one_line
from kiosk.views.words import _, plural


def badge_text(badge: BadgeView) -> str:
    """ "badge …A1B2"."""
    return f"{one_line(badge.word)} {one_line(badge.masked)}".strip()


def who_text(session: SessionOpened) -> str:
    """Name and role."""
    return joined(one_line(session.person.display_name), one_line(session.person.role))


def time_left_text(left: TimeLeft) -> str:
    """What is left until the terminal locks for idleness, and of the whole session."""
    return _("locks in {idle} · session {session}").format(
        idle=duration_text(left.idle_seconds), session=duration_text(left.session_seconds)
    )


def idle_warning_text(seconds: int) -> str:
    """The question before an idle session is locked."""
    return plural(
        "Are you still there? This terminal locks in {count} second.",
        "Are you still there? This terminal locks in {count} seconds.",
        max(0, seconds),
    )


def pin_question(asked: PinAsked) -> str:
    """Whose PIN is asked for."""
    return _("PIN of {name}, {badge}").format(name=one_line(asked.person.display_name), badge=badge_text(asked.badge))


def pin_attempts_text(asked: PinAsked) -> str:
    """The reason for asking again, and how many tries are left."""
    attempts = plural("{count} try left", "{count} tries left", asked.attempts_left)
    return joined(one_line(asked.sentence), attempts)
