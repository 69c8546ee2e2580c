"""The arguments of every subcommand. Handlers are named, not imported: `--help` loads nothing else."""

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

DEFAULT_CONFIG = "/etc/kiosk/kiosk.toml"


class _Help(argparse.HelpFormatter):
    """Wraps paragraphs; lines that begin with blanks are examples and stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n".join(line if line.startswith(" ") else fill(line, width, indent) for line in text.split("\n"))


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="kiosk",
        description="A reading-room terminal: tap a badge or a phone, browse, query and push DICOM studies, "
        "all on record. Not for diagnosis.",
        epilog="`kiosk demo` needs nothing but this machine. `kiosk COMMAND --help` says more.\n"
        "Exit codes: 0 done, 1 something is wrong and was said, 2 misused, 130 interrupted.",
        formatter_class=_Help,
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    _demo(commands)
    _run(commands)
    _read(commands)
    _tap(commands)
    _staff(commands)
    _credentials(commands)
    _audit(commands)
    _auditd(commands)
    _health(commands)
    return top


def _command(commands: Commands, name: str, handler: str, text: str, examples: str = "") -> argparse.ArgumentParser:
    summary = text[0].lower() + text[1:].partition(". ")[0].rstrip(".")
    command = commands.add_parser(name, help=summary, description=text, epilog=examples, formatter_class=_Help)
    command.set_defaults(handler=f"kiosk.cli.{handler}")
    return command


def _config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        default=DEFAULT_CONFIG,
        metavar="FILE",
        help=f"the kiosk's configuration (default: {DEFAULT_CONFIG})",
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 on, please")
    return int(text)


def _socket(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--socket",
        metavar="PATH",
        help="where `kiosk tap` finds the reader if it is a simulated one (default: the user's runtime directory)",
    )


def _demo(commands: Commands) -> None:
    demo = _command(
        commands,
        "demo",
        "demo:run",
        "Opens the kiosk on a simulated reader, an embedded archive and two destinations, all on this machine. "
        "F1 to F4 tap the four cards; the demo PIN is shown. Nothing of it is kept unless --keep says so.",
        "Examples:\n"
        "  kiosk demo                      the terminal; from elsewhere, `kiosk tap radiologist-badge`\n"
        "  kiosk demo --check --keep DIR   does the whole main job, then leaves what it wrote\n"
        "  kiosk audit verify --config DIR/kiosk.toml",
    )
    demo.add_argument(
        "--check", action="store_true", help="do the whole main job without a screen; exit 0, or the step that failed"
    )
    demo.add_argument(
        "--keep",
        metavar="DIR",
        help="leave configuration, trail, keys, logs and with --check screenshots in DIR: a new or empty folder, or "
        "without --check one that a demo left, which then goes on",
    )
    demo.add_argument("--plain", action="store_true", help="printed lines and prompts instead of the screen")
    demo.add_argument(
        "--odd",
        action="store_true",
        help="add studies that try a kiosk: 5,000 instances, hostile text, numbers and positions missing or doubled",
    )
    demo.add_argument(
        "--scenario", metavar="FILE", help="let the demo's cards tap by themselves, as the TOML file says when"
    )
    _socket(demo)


def _run(commands: Commands) -> None:
    run = _command(
        commands,
        "run",
        "run:run",
        "Runs the terminal. Refuses whatever only a demo may have: simulated readers, readers over the network, "
        "an open virtual-card port, demo people and PINs. Stop it with SIGTERM: what is open then ends on record.",
    )
    _config(run)
    run.add_argument(
        "--plain", action="store_true", help="printed lines and prompts, for a serial console or a screen reader"
    )


def _read(commands: Commands) -> None:
    read = _command(
        commands,
        "read",
        "read:run",
        "Watches a reader and prints what it sees, an event a line, until interrupted. For trying a reader; it opens "
        "no session.",
        "A card's line, with --json:\n"
        '  {"event": "card", "reader": "Simulated reader", "uid": "04A1B2C3D4E580", "random": false,\n'
        '   "kind": "iso14443", "subject": "04A1B2C3D4E580", "assurance": "IDENTIFIER"}\n'
        'Other events: "refused" (with reason and sentence), "removed", "attached", "detached", "fault".',
    )
    read.add_argument(
        "--reader",
        metavar="SPEC",
        help='such as "pcsc", "pcsc:ACR1252*", "nfcpy:usb", "simulated:DECK.toml", "simulated:scenario=FILE", or '
        "\"simulated\" with the demo's cards (default: the configuration's first, without one pcsc)",
    )
    read.add_argument(
        "--config",
        metavar="FILE",
        help="ask cards for what that kiosk's [credentials] enables, with its keys (default: PKOC and the UID only)",
    )
    read.add_argument(
        "--json",
        action="store_true",
        help="one JSON object a line: event, reader, uid, random, kind, subject, assurance",
    )
    read.add_argument("--count", type=_positive, metavar="N", help="end after N cards")
    read.add_argument(
        "--record",
        metavar="FILE",
        help="write what cards are asked and answer to a new file, UIDs included; keys, account data and whatever "
        "names a person are left out. `--reader simulated:replay=FILE` plays it",
    )
    _socket(read)


def _tap(commands: Commands) -> None:
    tap = _command(
        commands,
        "tap",
        "tap:run",
        "Presents a virtual card to a running simulated reader, through its control socket.",
        "Examples, beside a running `kiosk demo`:\n"
        "  kiosk tap ?                        the cards that there are\n"
        "  kiosk tap radiologist-badge        a tap of half a second\n"
        "  kiosk tap auditor-badge --seconds 3\n"
        "A demo has cards of its own site, too:\n"
        "  radiologist-desfire  radiologist-piv  technologist-ntag424  auditor-wallet",
    )
    tap.add_argument("card", metavar="CARD", help="a card of the deck, such as radiologist-badge; ? lists them")
    tap.add_argument(
        "--socket",
        metavar="PATH",
        help="the reader's control socket (default: that of a running `kiosk demo` or `kiosk read`)",
    )
    tap.add_argument(
        "--seconds", type=float, default=0.5, metavar="S", help="how long the card lies there (default: 0.5)"
    )


def _staff(commands: Commands) -> None:
    staff = commands.add_parser(
        "staff",
        help="people, roles and badges",
        description="People, roles and badges. Every change is on record under unix:NAME.",
    )
    actions = staff.add_subparsers(metavar="ACTION", required=True)
    bootstrap = _command(actions, "bootstrap", "staff:bootstrap", "Makes the first enrolment officer, once, on record.")
    add = _command(
        actions,
        "add",
        "staff:add",
        "Adds a person. With --tap, waits for their badge at the kiosk's reader and asks for a new PIN; for somebody "
        "who is known already in that role it enrols one more badge.",
        'Example:\n  kiosk staff add a.weber --name "Dr. Anna Weber" --role radiologist --tap',
    )
    listing = _command(actions, "list", "staff:listing", "Lists the people, their roles and how many badges they have.")
    listing.add_argument(
        "--credentials", action="store_true", help="a line for each credential, revoked ones too, with its number"
    )
    _staff_changes(actions)
    for command in (bootstrap, add):
        command.add_argument("user_id", metavar="USER-ID", help="how the hospital's directory names them")
        command.add_argument("--name", required=True, help="as the screen shows it")
        command.add_argument("--tap", action="store_true", help="enrol the badge that is tapped next")
        _socket(command)
    add.add_argument(
        "--role", required=True, help="radiologist, technologist, referring, service, enrolment_officer or auditor"
    )
    for command in (bootstrap, add, listing):
        _config(command)


def _staff_changes(actions: Commands) -> None:
    enrol = _command(
        actions,
        "enrol",
        "enrol:run",
        "Waits for a badge or phone at the kiosk's reader, shows what it can prove and how long that took, and enrols "
        "its best scheme for that person. Asks first, and has it tapped a second time. Refuses random UIDs without a "
        "proof and cards that are known already, revoked ones too; says when the card could prove more.",
        "Examples:\n  kiosk staff enrol a.weber\n  kiosk staff enrol a.weber --reader 'pcsc:ACR1252*' --yes",
    )
    _person(enrol)
    enrol.add_argument("--reader", metavar="SPEC", help="another reader than the configuration's, as for `kiosk read`")
    enrol.add_argument("--yes", action="store_true", help="one tap, and no question")
    _socket(enrol)
    revoke = _command(
        actions,
        "revoke",
        "staff:revoke",
        "Ends one credential of a person for good: it is never enrolled again. Their open session with it ends within "
        "seconds.",
        "Example:\n  kiosk staff revoke a.weber 3f9c2ab1 --reason 'lost on the train'",
    )
    _person(revoke)
    revoke.add_argument(
        "credential", metavar="CREDENTIAL", help="its number or fingerprint, as `kiosk staff list --credentials` shows"
    )
    revoke.add_argument("--reason", default="", metavar="TEXT", help="why, for the record")
    disable = _command(
        actions,
        "disable",
        "staff:disable",
        "Lets none of a person's credentials in any more. Their open session ends within seconds.",
    )
    enable = _command(actions, "enable", "staff:enable", "Takes a disabling back. What was revoked stays revoked.")
    pin = _command(
        actions,
        "pin",
        "staff:pin",
        "Gives a person a new PIN and forgets the wrong ones entered before. Asks twice without showing it; without a "
        "terminal, reads it from standard input.",
    )
    for command in (disable, enable, pin):
        _person(command)
    for command in (enrol, revoke, disable, enable, pin):
        _config(command)


def _person(command: argparse.ArgumentParser) -> None:
    command.add_argument("user_id", metavar="PERSON", help="their user ID, as `kiosk staff list` shows it")


def _credentials(commands: Commands) -> None:
    credentials = commands.add_parser(
        "credentials",
        help="the site's card keys, and blank cards that become the site's",
        description="The site's card keys, and blank cards that become the site's. On record under unix:NAME, never "
        "with a key.",
    )
    kinds = credentials.add_subparsers(metavar="KIND", required=True)
    keys = kinds.add_parser("keys", help="the site's card keys", description="The site's card keys.")
    make = _command(
        keys.add_subparsers(metavar="ACTION", required=True),
        "make",
        "credentials:make_keys",
        "Makes the key files that [credentials] names and that are not there, each its owner's alone. Never overwrites "
        "one: every card issued under it would be lost.",
    )
    desfire = kinds.add_parser("desfire", help="MIFARE DESFire cards", description="MIFARE DESFire cards.")
    personalise = _command(
        desfire.add_subparsers(metavar="ACTION", required=True),
        "personalise",
        "credentials:personalise_desfire",
        "Waits for a blank DESFire EV1, EV2 or EV3, shows what will be written, asks, and makes it a card of this "
        "site: application, keys of its own, identity, frozen settings. A card that was taken away in the middle goes "
        "on where it stopped when the command is run again. Do it where nobody can listen: a blank's keys are known.",
        "Example:\n  kiosk credentials keys make && kiosk credentials desfire personalise --reader 'pcsc:ACR1252*'",
    )
    personalise.add_argument(
        "--reader", metavar="SPEC", help="another reader than the configuration's, as for `kiosk read`"
    )
    personalise.add_argument(
        "--random-uid", action="store_true", help="the card shows another UID at every tap from then on, for good"
    )
    _socket(personalise)
    for command in (make, personalise):
        _config(command)


def _audit(commands: Commands) -> None:
    audit = commands.add_parser(
        "audit", help="the record of every act", description="The record of every act, each against the badge UID."
    )
    actions = audit.add_subparsers(metavar="ACTION", required=True)
    show = _command(
        actions,
        "show",
        "audit:show",
        "Lists every act, oldest first, each with the badge UID. Asks for the tap of an auditor; --as-auditor shows it "
        "with patients masked instead. Either way the reading is on record itself, except on a copy (--db).",
    )
    export = _command(
        actions,
        "export",
        "audit:dump",
        "Writes the trail to standard output. Asks for the tap of an auditor; --as-auditor masks patients instead.",
        "Example:\n  kiosk audit export --as-auditor --format xml >messages.xml",
    )
    export.add_argument(
        "--format",
        choices=["jsonl", "xml"],
        default="jsonl",
        help="jsonl: a record a line; xml: a DICOM PS3.15 message a line (default: jsonl)",
    )
    verify = _command(
        actions,
        "verify",
        "verify:check",
        "Checks the whole chain, hash by hash and signature by signature, and changes nothing: a copy on another "
        "machine verifies like the original. It names the first bad record. Exit 0 whole; 1 broken; 3 whole in "
        "itself but behind or beside what is known elsewhere (--anchors, --public-key, --mac-key); 4 unreadable.",
        "Example:\n  kiosk audit verify --db /mnt/stick/trail.db --public-key kiosk.pem --anchors anchors.jsonl",
    )
    verify.add_argument("--public-key", metavar="FILE", help="what `kiosk audit key` printed")
    verify.add_argument("--anchors", metavar="FILE", help="checkpoints kept elsewhere, one a line")
    verify.add_argument("--mac-key", metavar="FILE", help="the first MAC key, from escrow: every MAC is checked too")
    key = _command(
        actions,
        "key",
        "auditd:key",
        "Prints the public key of the trail's checkpoints, as OpenSSL reads it. Keep it away from the kiosk.",
        "Example, once, before the first start:\n  kiosk audit key --escrow /mnt/stick/mac.key >kiosk.pem",
    )
    key.add_argument(
        "--escrow",
        metavar="FILE",
        help="first make the trail and put its first MAC key into FILE; once anything is recorded, that key is gone",
    )
    for command in (show, export):
        command.add_argument("--as-auditor", action="store_true", help="no tap; patients are masked")
        command.add_argument("--first", type=_positive, default=1, metavar="N", help="begin with record N")
        _socket(command)
    for command in (show, export, verify):
        command.add_argument("--db", metavar="FILE", help="an offline copy of the trail, instead of this kiosk's")
    for command in (show, export, verify, key):
        _config(command)


def _auditd(commands: Commands) -> None:
    auditd = _command(
        commands,
        "auditd",
        "auditd:run",
        "Writes the audit trail for the kiosk, behind the socket that [audit] names, as a user of its own: the kiosk "
        "then has no way to change what is written. It tells systemd when it is ready. Stop it with SIGTERM.",
    )
    _config(auditd)


def _health(commands: Commands) -> None:
    doctor = _command(
        commands,
        "doctor",
        "doctor:run",
        "Looks at reader, archive, disk, trail and configuration; says what is wrong and how to mend it. Exit 0 when "
        "nothing is wrong, 1 when something is.",
    )
    doctor.add_argument("--json", action="store_true", help="one JSON object a finding")
    _config(doctor)
    config = commands.add_parser("config", help="the configuration file", description="The configuration file.")
    actions = config.add_subparsers(metavar="ACTION", required=True)
    check = _command(
        actions,
        "check",
        "config:check",
        "Reads the configuration and says what is wrong with it. Exit 0 when `kiosk run` would take it.",
    )
    _config(check)
