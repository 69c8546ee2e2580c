"""How the kiosk stands, in words: its trail, and where that is delivered to."""

from datetime import datetime

from kiosk.audit import TrailStatus
from kiosk.audit.forward import SinkStatus
from kiosk.operations.facts import AuditDelivery
from kiosk.operations.status import KioskStatus
from kiosk.views.dates import clock_face
from kiosk.views.text import joined, one_line
from kiosk.views.words import _, plural

HASH_SHOWN = 16
LONGEST = 600


def service_line(status: KioskStatus) -> str:
    """Whether the kiosk can be used."""
    if status.out_of_service:
        return joined(_("OUT OF SERVICE"), one_line(status.out_of_service, LONGEST))
    return _("In service: every act is recorded.")


def trail_facts(status: KioskStatus) -> tuple[tuple[str, str], ...]:
    """Length and head of the trail, its last checkpoint, how far it is kept elsewhere, and what is wrong with it: each
    with its name, which is empty where the sentence stands by itself."""
    if status.sight is None:
        return (("", _("The audit trail cannot be read now: {why}").format(why=one_line(status.fault, LONGEST))),)
    trail, now = status.sight.trail, status.time
    records = plural("{count} record", "{count} records", trail.head.sequence)
    faults = ((_("Not recording"), trail.failure), (_("Anchors"), trail.anchor_fault))
    anew = ((_("Begun anew"), _anew_text(trail.begun_anew, now)),) if trail.begun_anew else ()
    return (
        (_("Length"), _("{records}, head {hash}").format(records=records, hash=trail.head.hash.hex()[:HASH_SHOWN])),
        (_("Signed"), _checkpoint_text(trail, now)),
        (_("Kept elsewhere"), _anchored_text(trail, now)),
        *anew,
        *((what, one_line(said, LONGEST)) for what, said in faults if said and said != status.out_of_service),
    )


def sink_title(sink: SinkStatus) -> str:
    """Which sink it is, and how it is reached."""
    return joined(one_line(sink.name), sink.kind, one_line(sink.place))


def sink_lines(sink: SinkStatus, now: datetime) -> tuple[str, ...]:
    """What waits for it, when something was sent, and what is wrong."""
    sent = _("last sent {time}").format(time=moment_text(sink.sent_at, now)) if sink.sent_at else _("nothing sent yet")
    lines = [joined(waiting_words(sink, now), sent)]
    if sink.fault:
        since = moment_text(sink.fault_at, now) if sink.fault_at else "?"
        lines.append(_("Failing since {time}: {why}").format(time=since, why=one_line(sink.fault, LONGEST)))
    if sink.note:
        lines.append(sink.note)
    return tuple(lines)


def status_lines(status: KioskStatus) -> tuple[str, ...]:
    """All of it, for a line terminal."""
    (_name, first), *facts = trail_facts(status)
    lines = [service_line(status), f"{_('Audit trail')}: {first}", *(f"  {name}: {text}" for name, text in facts)]
    for sink in status.sight.sinks if status.sight else ():
        lines += [
            _("Sink {title}").format(title=sink_title(sink)),
            *(f"  {line}" for line in sink_lines(sink, status.time)),
        ]
    if status.sight and not status.sight.sinks:
        lines.append(no_sinks_line())
    return tuple(lines)


def no_sinks_line() -> str:
    """There is nobody to deliver to."""
    return _("The trail is delivered nowhere: the configuration names no audit sink.")


def delivery_line(delivery: AuditDelivery, now: datetime) -> str:
    """What is wrong with the delivery of the trail, for whoever stands at the kiosk; empty when all is well."""
    if delivery.fault:
        return _("How far the audit trail was delivered cannot be told. You can go on.")
    if not delivery.sinks:
        return ""
    sink, *others = delivery.sinks
    since = sink.fault_at or sink.oldest
    waiting = plural("{count} record waits here", "{count} records wait here", sink.waiting or 0)
    more = plural("{count} more repository too", "{count} more repositories too", len(others)) if others else ""
    what = _("The audit repository {name} has got nothing since {time}.").format(
        name=one_line(sink.name), time=moment_text(since, now) if since else "?"
    )
    return f"{what} {joined(waiting, more)}; {_('none is lost, and you can go on.')}"


def moment_text(moment: datetime, now: datetime) -> str:
    """A time of day on the clock of this place, with its date when that is not today's."""
    there, today = moment.astimezone(), now.astimezone().date()
    face = clock_face(there)
    return face if there.date() == today else f"{there.date().isoformat()} {face}"


def waiting_words(sink: SinkStatus, now: datetime) -> str:
    """How much waits, and for how long the oldest has."""
    if sink.waiting is None:
        return _("how much waits cannot be told")
    if not sink.waiting:
        return _("everything is sent")
    records = plural("{count} record waits", "{count} records wait", sink.waiting)
    return _("{records}, the oldest for {duration}").format(
        records=records, duration=_duration(sink.oldest_seconds(now))
    )


def _checkpoint_text(trail: TrailStatus, now: datetime) -> str:
    checkpoint = trail.checkpoint
    if checkpoint is None:
        return _("not yet")
    return _("checkpoint {number} at {time}, up to record {record}").format(
        number=checkpoint.number, time=moment_text(checkpoint.time, now), record=checkpoint.sequence
    )


def _anchored_text(trail: TrailStatus, now: datetime) -> str:
    if not trail.anchored:
        return _("nowhere")
    said = _("up to checkpoint {number}").format(number=trail.anchored)
    if trail.anchored_at is None:
        return said
    return f"{said}, {_('signed {time}').format(time=moment_text(trail.anchored_at, now))}"


def _anew_text(time: datetime, now: datetime) -> str:
    said = _("{time}: there was an audit trail here before, which is gone")
    return said.format(time=moment_text(time, now))


def _duration(seconds: float) -> str:
    units = (
        (86400, "{count} day", "{count} days"),
        (3600, "{count} hour", "{count} hours"),
        (60, "{count} minute", "{count} minutes"),
        (1, "{count} second", "{count} seconds"),
    )
    for size, one, many in units:
        if count := int(seconds // size):
            return plural(one, many, count)
    return _("less than a second")
