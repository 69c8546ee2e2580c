"""`kiosk staff enrol`: a card is tapped, says what it can prove, and becomes somebody's."""

from argparse import Namespace

from kiosk.access.person import Person
from kiosk.cli.card_words import advice, lines
from kiosk.cli.office import Office, office
from kiosk.cli.question import agreed
from kiosk.cli.taps import PATIENCE, Taps, say, taps
from kiosk.errors import Cancelled, NotAllowed
from kiosk.operations.staff import EnrolBadge, described
from readers.credentials.claim import Claim, Refusal
from readers.credentials.ladder import Ladder

NOTHING_DONE = "Nothing was enrolled."


def run(options: Namespace) -> int:
    """Waits for the card, shows what it can prove, asks, has it tapped once more, and enrols its best scheme."""
    with office(options) as at:
        person = at.active_person(options.user_id)
        ladder = at.ladder()
        config = at.premises.config
        specs = (options.reader,) if options.reader else config.readers.specs
        try:
            with taps(specs, options.socket, ladder, config) as taken:
                answer = _wanted(at, person, taken, ladder, sure=options.yes)
        except KeyboardInterrupt:
            say(f"\n{NOTHING_DONE}")
            raise
        enrolled = at.change(EnrolBadge(at.directory, person, answer))
        print(f"Enrolled for {person.user_id}: {described(enrolled)}.")
        if not at.directory.pins.has(person.person_id):
            say(f"{person.user_id} has no PIN yet: `kiosk staff pin {person.user_id}` sets one.")
    return 0


def _wanted(at: Office, person: Person, taken: Taps, ladder: Ladder, *, sure: bool) -> Claim | Refusal:
    """What is to be enrolled, or put on record as refused; raises NotAllowed and Cancelled."""
    say(
        f"Tap the badge or phone of {person.user_id} ({person.display_name}) and hold it there for a moment. "
        f"Waiting {PATIENCE:.0f} seconds; Ctrl+C ends it."
    )
    tapped = taken.wait()
    for line in lines(tapped.kind, tapped.uid, tapped.findings):
        print(line, flush=True)
    if better := advice(tapped.kind, tapped.findings, {scheme.kind for scheme in ladder.schemes}):
        print(better, flush=True)
    answer = tapped.answer
    if isinstance(answer, Refusal) or at.directory.by_claim(answer) is not None or sure:
        return answer
    if not agreed(f"Enrol it by {answer.kind} for {person.user_id}? [y/N] "):
        raise Cancelled(NOTHING_DONE)
    say(f"Take it away, then tap it once more. Waiting {PATIENCE:.0f} seconds.")
    if taken.wait().key != tapped.key:
        raise NotAllowed(f"That was another card. {NOTHING_DONE}")
    return answer
