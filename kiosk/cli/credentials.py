"""`kiosk credentials`: the site's card keys, and blank cards that become the site's. On record under unix:NAME."""

import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from kiosk.access.ladder import desfire_application, key_folder, ladder_settings, site_keys
from kiosk.audit import TrailPort
from kiosk.cli.audit import unix_principal
from kiosk.cli.question import agreed
from kiosk.cli.reader import opened
from kiosk.cli.taps import PATIENCE, say
from kiosk.config.loader import load
from kiosk.config.model import KioskConfig
from kiosk.errors import Cancelled, ConfigError, NotAllowed
from kiosk.operations.issue_cards import MakeKeys, PersonaliseCard
from kiosk.operations.perform import Desk, perform
from kiosk.premises import Premises
from readers.credentials.aes_keys import AesKeyStore, KeyUnavailable
from readers.credentials.desfire_issue import DesfireIssue
from readers.credentials.desfire_personalise import Personalised, Progress, Step, personalise, plan
from readers.credentials.desfire_state import CardState, look
from readers.credentials.key_maker import make_key
from readers.errors import ReaderError
from readers.reader import Card, CardPresented, Reader, ReaderDetached, ReaderFault

LOOK = 1.0
NOTHING_WRITTEN = "Nothing was written."


def make_keys(options: Namespace) -> int:
    """Makes the key files that the configuration names and that are not there."""
    premises = Premises(load(Path(options.config)))
    folder = key_folder(premises.config)
    names = _key_names(premises.config)
    if not names:
        raise ConfigError("The configuration enables no cards that need keys: see [credentials].")
    made = set()
    with premises.signed_trail() as trail:
        for name in perform(_desk(premises, trail), unix_principal(), MakeKeys(names, partial(make_key, folder))):
            made.add(name)
            print(f"{name}: made.", flush=True)
    for name in names:
        if name not in made:
            print(f"{name}: there already, left as it is.")
    say(f"Keys are in {folder}. Keep a copy in a safe place: without its keys a card is worth nothing.")
    desfire = premises.config.credentials.desfire
    issuing = sorted({desfire.master_key, desfire.card_key} & set(names))
    if issuing:
        say(f"{' and '.join(issuing)} only issue cards: a kiosk at the wall works without them, and should.")
    return 0


def personalise_desfire(options: Namespace) -> int:
    """Waits for a blank, shows what would be written, asks, and writes it."""
    premises = Premises(load(Path(options.config)))
    issue = _issue(premises.config, hides_uid=options.random_uid)
    keys = site_keys(premises.config)
    _require_keys(issue, keys)
    spec = options.reader or premises.config.readers.specs[0]
    with premises.signed_trail() as trail, opened(spec, options.socket) as reader, _tapped(reader) as card:
        _personalise(_desk(premises, trail), card, issue, keys)
    return 0


def _personalise(desk: Desk, card: Card, issue: DesfireIssue, keys: AesKeyStore) -> None:
    """On one card in one connection: nobody can lay another one on between the question and the answer."""
    state = look(card, issue, keys)
    steps = plan(state, issue)
    _show(state, steps)
    if steps != (Step.VERIFY,) and not agreed("Write this to the card? [y/N] "):
        raise Cancelled(NOTHING_WRITTEN)
    work = partial(personalise, card, issue, keys, state.uid)
    act = PersonaliseCard(state.uid, issue.application.identifier.hex().upper(), work)
    running = perform(desk, unix_principal(), act)
    while True:
        try:
            progress = next(running)
        except StopIteration as stop:
            _tell(stop.value)
            return
        print(_line(progress), flush=True)


def _show(state: CardState, steps: tuple[Step, ...]) -> None:
    if steps == (Step.VERIFY,):
        print(f"{state.model} {state.uid.masked}: a card of this site already.", flush=True)
        return
    print(f"{state.model} {state.uid.masked}. What will be done:")
    for step in steps:
        print(f"  {step.value}")
    say("Nobody else should be near the reader: the factory's keys are known, so whoever listens learns the new ones.")


def _line(progress: Progress) -> str:
    return f"[{progress.number}/{progress.of}] {progress.step.value}"


def _tell(done: Personalised) -> None:
    said = "is now a card of this site" if done.written else "proved to be a card of this site; nothing was written"
    print(f"The card {said}: {done.claim.fingerprint}. `kiosk staff enrol` gives it to somebody.")


@contextmanager
def _tapped(reader: Reader) -> Iterator[Card]:
    """The next card that lies there long enough to be connected; raises NotAllowed when there is none."""
    say(f"Lay the card on the reader and leave it there. Waiting {PATIENCE:.0f} seconds; Ctrl+C ends it.")
    reader.open()
    try:
        presented = _presented(reader)
        with reader.connect(presented) as card:
            yield card
    finally:
        reader.close()


def _presented(reader: Reader) -> CardPresented:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for event in reader.wait(LOOK):
            match event:
                case CardPresented():
                    return event
                case ReaderDetached() | ReaderFault():
                    say(event.reason)
                case _:
                    pass
    raise NotAllowed("Nobody laid a card on in time.")


def _issue(config: KioskConfig, *, hides_uid: bool) -> DesfireIssue:
    table = config.credentials.desfire
    if not table.enabled:
        raise ConfigError("The configuration does not enable DESFire cards: see [credentials.desfire].")
    if hides_uid and not table.uid_key:
        raise ConfigError("--random-uid needs credentials.desfire.uid_key: without it no kiosk knows such a card.")
    try:
        application = desfire_application(config.credentials)
        return DesfireIssue(application, hides_uid or table.random_uid, table.master_key, table.card_key)
    except ReaderError as error:
        raise ConfigError(f"credentials.desfire: {error}.") from None


def _require_keys(issue: DesfireIssue, keys: AesKeyStore) -> None:
    for name in issue.key_names:
        try:
            keys.shared(name)
        except KeyUnavailable as error:
            raise ConfigError(f"A card key is missing: {error}. `kiosk credentials keys make` makes it.") from None


def _key_names(config: KioskConfig) -> tuple[str, ...]:
    """Everything that cards of the enabled kinds are asked or made with."""
    settings = ladder_settings(config.credentials)
    names: list[str] = []
    if settings.desfire is not None:
        names += _issue(config, hides_uid=False).key_names
    if settings.ntag424 is not None:
        names.append(settings.ntag424.own_key)
        if settings.ntag424.uid_key_number is not None:
            names.append(settings.ntag424.uid_key)
    if settings.sun is not None:
        names += (settings.sun.meta_key, settings.sun.file_key)
    if settings.emv_key is not None:
        names.append(settings.emv_key)
    return tuple(dict.fromkeys(names))


def _desk(premises: Premises, trail: TrailPort) -> Desk:
    return Desk(premises.ledger(trail, say), lambda _: False)
