"""The line front end: reads commands, runs one act at a time, prints facts as they come."""

import shlex
from collections.abc import Callable
from datetime import date
from functools import partial
from threading import Event

from kiosk.clock import Clock, SystemClock
from kiosk.errors import KioskError
from kiosk.operations.operations import Destination, Operations
from kiosk.plain.acts import Acts
from kiosk.plain.audit import AuditActs
from kiosk.plain.browse import BrowseActs
from kiosk.plain.console import Console
from kiosk.plain.desk import Act, Desk
from kiosk.plain.listener import LOCKED, Listener
from kiosk.plain.lookup import LookupActs
from kiosk.plain.words import HELP, audit_form, number, query_form
from kiosk.views.push import patient_lines, push_question, queued_line
from kiosk.views.refusals import refusal
from kiosk.views.status import status_lines
from kiosk.views.studies import FIRST_DESCENDING, STUDY_COLUMNS
from kiosk.views.text import joined
from kiosk.views.transfers import may_cancel, may_retry
from kiosk.views.words import _, plural

# These say something about what runs or stop it, and so do not wait for its end.
AT_ONCE = frozenset({"cancel", "transfers", "help", "sign", "status", "tap"})
YES = frozenset({"yes", "y", _("yes")})


class Shell:
    """Commands in, lines out. `run` returns when the input ends."""

    def __init__(self, operations: Operations, console: Console, clock: Clock | None = None) -> None:
        self._operations = operations
        self._console = console
        self._clock = clock or SystemClock()
        self._acts = Acts(operations, console)
        self._browse = BrowseActs(operations, console)
        self._lookups = LookupActs(operations, console)
        self._audits = AuditActs(operations, console)
        self._listener = Listener(console, self._stop_act, self._clock)
        self._act: Act | None = None
        self._commands: dict[str, Callable[[Desk, list[str]], None]] = {
            "query": self._query,
            "find": lambda desk, words: self._start(desk, partial(self._lookups.find, desk, words)),
            "more": lambda desk, _words: self._start(desk, partial(self._acts.more, desk)),
            "list": self._list,
            "open": self._open,
            "series": self._series,
            "instances": lambda desk, _words: self._acts.list_instances(desk),
            "gaps": lambda desk, _words: self._browse.gaps(desk),
            "priors": lambda desk, _words: self._start(desk, partial(self._browse.priors, desk)),
            "point": self._browse.point,
            "nearest": self._browse.nearest,
            "tags": self._tags,
            "select": self._select,
            "destinations": lambda desk, _words: self._acts.destinations(desk),
            "push": self._push,
            "transfers": lambda desk, _words: self._acts.transfers(desk),
            "cancel": self._cancel,
            "retry": self._retry,
            "back": self._back,
            "audit": self._audit,
            "record": self._record,
            "day": self._day,
            "chain": lambda desk, _words: self._start(desk, partial(self._audits.chain, desk)),
            "sign": lambda desk, _words: self._operations.sign_out(desk.session.session_id),
        }

    def run(self) -> int:
        """Reads until the input ends."""
        station = self._operations.station()
        self._console.say(joined(station.name, station.site), LOCKED)
        for card in station.demo_cards:
            self._console.say(_("demonstration card: tap {card} ({label})").format(card=card.card, label=card.label))
        if station.demo_pin:
            self._console.say(_("demonstration PIN: {pin}").format(pin=station.demo_pin))
        unsubscribe = self._operations.subscribe(self._listener)
        try:
            while (line := self._console.read()) is not None:
                self._take(line)
            self._wait()
            if self._listener.desk is not None:
                self._operations.sign_out(self._listener.desk.session.session_id)
        except KioskError as error:
            self._console.say(refusal(error))
            return 1
        finally:
            self._stop_act()
            unsubscribe()
            self._console.show_typing()
        return 0

    def _take(self, line: str) -> None:
        asked = self._listener.asked
        try:
            if asked is not None and not line.startswith("tap "):
                self._answer_pin(asked.claim_id, line)
                return
            desk = self._listener.desk
            if desk is not None:
                self._operations.touch(desk.session.session_id)
            self._command(desk, line)
        except KioskError as error:
            self._console.say(refusal(error))

    def _answer_pin(self, claim_id: str, pin: str) -> None:
        if not pin:
            self._operations.abandon_pin(claim_id)
            return
        self._console.say(_("checking…"))
        self._operations.enter_pin(claim_id, pin)

    def _command(self, desk: Desk | None, line: str) -> None:
        try:
            words = shlex.split(line)
        except ValueError:
            self._console.say(_("A quote is not closed."))
            return
        if not words:
            return
        name, rest = words[0].casefold(), words[1:]
        if name not in AT_ONCE:
            self._wait()
            desk = self._listener.desk
        if name == "help":
            self._console.say(*HELP)
        elif name == "status":
            self._console.say(*status_lines(self._operations.status()))
        elif name == "tap" and rest:
            self._operations.present(rest[0])
        elif desk is None:
            self._console.say(LOCKED)
        elif desk.asked_push is not None and name != "cancel":
            self._answer_push(desk, name)
        elif name in self._commands:
            self._commands[name](desk, rest)
        else:
            self._console.say(_('"{word}" is not known here. Type "help".').format(word=name))

    def _start(self, desk: Desk, work: Callable[[Event], None]) -> None:
        def failed(sentence: str) -> None:
            if not desk.closed.is_set():
                self._console.say(sentence)

        self._act = Act(work, failed)
        self._act.start()

    def _wait(self) -> None:
        if self._act is not None:
            self._act.join()
            self._act = None

    def _stop_act(self) -> None:
        if self._act is not None:
            self._act.cancel.set()

    def _chosen(self, words: list[str], most: int) -> int | None:
        choice = number(words[0] if words else "", most)
        if isinstance(choice, str):
            self._console.say(choice)
            return None
        return choice

    def _query(self, desk: Desk, words: list[str]) -> None:
        form = query_form(words)
        if isinstance(form, str):
            self._console.say(form)
        else:
            self._start(desk, partial(self._acts.query, desk, form, self._today()))

    def _today(self) -> date:
        return self._clock.now().astimezone().date()

    def _audit(self, desk: Desk, words: list[str]) -> None:
        form = audit_form(words)
        if isinstance(form, str):
            self._console.say(form)
        else:
            self._start(desk, partial(self._audits.search, desk, form, self._today()))

    def _record(self, desk: Desk, words: list[str]) -> None:
        if choice := self._chosen(words, max(desk.records, default=0)):
            self._audits.record(desk, choice)

    def _day(self, desk: Desk, words: list[str]) -> None:
        if len(words) != 2:
            self._console.say(_("A person and a day, please: day a.weber 2026-11-23, or today."))
        else:
            self._start(desk, partial(self._audits.day, desk, words[0], words[1], self._today()))

    def _list(self, desk: Desk, words: list[str]) -> None:
        for word in words:
            column = word.removeprefix("sort=")
            keys = [column.key for column in STUDY_COLUMNS]
            if column not in keys:
                self._console.say(_("Columns are: {columns}").format(columns=", ".join(keys)))
                return
            desk.order = desk.order.pressed(column, FIRST_DESCENDING)
        if desk.study is not None:
            self._acts.list_series(desk)
        else:
            self._acts.list_studies(desk)

    def _open(self, desk: Desk, words: list[str]) -> None:
        if choice := self._chosen(words, len(desk.studies)):
            self._start(desk, partial(self._acts.open_study, desk, choice))

    def _series(self, desk: Desk, words: list[str]) -> None:
        if choice := self._chosen(words, len(desk.series)):
            self._start(desk, partial(self._acts.open_series, desk, choice))

    def _tags(self, desk: Desk, words: list[str]) -> None:
        if choice := self._chosen(words, len(self._acts.instances(desk))):
            self._start(desk, partial(self._acts.tags, desk, choice, " ".join(words[1:])))

    def _select(self, desk: Desk, words: list[str]) -> None:
        for word in words:
            if choice := self._chosen([word], len(desk.studies if desk.study is None else desk.series)):
                if desk.study is None:
                    desk.selected_studies ^= {desk.studies[choice - 1].study_instance_uid}
                else:
                    desk.selected_series ^= {desk.series[choice - 1].series_instance_uid}
        count = len(desk.selected_studies if desk.study is None else desk.selected_series)
        self._console.say(plural("{count} selected", "{count} selected", count))

    def _push(self, desk: Desk, words: list[str]) -> None:
        plan = desk.plan
        destinations = self._operations.destinations(desk.session.session_id)
        chosen = _named(destinations, words)
        if plan is None:
            self._console.say(_("Open a study or select some first."))
        elif not chosen:
            self._console.say(_("Name one of these destinations or several, or their numbers:"))
            self._acts.destinations(desk)
        else:
            desk.asked_push = (plan, chosen)
            self._console.say(*patient_lines(plan, 100), push_question(plan, *chosen), _("yes or no?"))

    def _answer_push(self, desk: Desk, word: str) -> None:
        asked, desk.asked_push = desk.asked_push, None
        if asked is None or word not in YES:
            self._console.say(_("Nothing was pushed."))
            return
        plan, destinations = asked
        requests = plan.requests(*destinations)
        for queued, request in enumerate(requests):
            try:
                self._operations.push(desk.session.session_id, request)
            except KioskError as error:
                self._console.say(*filter(None, (refusal(error), queued_line(queued, len(requests)))))
                return
        self._console.say(_("In the outbox."))

    def _cancel(self, desk: Desk, words: list[str]) -> None:
        desk.asked_push = None
        if not words and self._act is not None and self._act.is_running:
            self._stop_act()
            return
        running = [job for job, transfer in desk.transfers.items() if may_cancel(transfer)]
        if words:
            choice = self._chosen(words, len(desk.transfers))
            jobs = [] if choice is None else [list(desk.transfers)[choice - 1]]
        else:
            jobs = running[:1]
        for job in jobs:
            self._operations.cancel_push(desk.session.session_id, job)
        if not jobs:
            self._console.say(_("Nothing runs."))

    def _retry(self, desk: Desk, words: list[str]) -> None:
        if choice := self._chosen(words, len(desk.transfers)):
            job, transfer = list(desk.transfers.items())[choice - 1]
            if may_retry(transfer):
                self._operations.retry_push(desk.session.session_id, job)
            else:
                self._console.say(_("There is nothing to send again."))

    def _back(self, desk: Desk, _words: list[str]) -> None:
        desk.study, desk.series, desk.contents = None, [], None
        desk.selected_series.clear()
        self._acts.list_studies(desk)


def _named(destinations: tuple[Destination, ...], words: list[str]) -> tuple[Destination, ...]:
    """One by all of the words, or each by one of them; none when one of them names nothing."""
    called = {
        name: destination
        for place, destination in reversed([*enumerate(destinations, start=1)])
        for name in (destination.name.casefold(), destination.ae_title.casefold(), str(place))
    }
    if (alone := called.get(" ".join(words).casefold())) is not None:
        return (alone,)
    found = [called.get(word.casefold()) for word in words]
    return () if None in found else tuple(dict.fromkeys(one for one in found if one is not None))
