"""The arguments of every subcommand. Handlers are named, not imported: `--help` loads nothing else."""

import argparse

from kiosk.cli.parser_audit import audit, auditd, delivery
from kiosk.cli.parser_common import Commands, Help, add_command, add_config, add_socket, positive
from kiosk.cli.parser_staff import credentials, staff


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="kiosk",
        description="A reading-room terminal: tap a badge or a phone, browse, query and push DICOM studies, "
        "all on record. Not for diagnosis.",
        epilog="`kiosk demo` needs nothing but this machine. `kiosk COMMAND --help` says more.\n"
        "Exit codes: 0 done, 1 something is wrong and was said, 2 misused, 130 interrupted.",
        formatter_class=Help,
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    _demo(commands)
    _run(commands)
    _read(commands)
    _tap(commands)
    _tags(commands)
    staff(commands)
    credentials(commands)
    audit(commands)
    auditd(commands)
    delivery(commands)
    _health(commands)
    return top


def _demo(commands: Commands) -> None:
    demo = add_command(
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
    add_socket(demo)


def _run(commands: Commands) -> None:
    run = add_command(
        commands,
        "run",
        "run:run",
        "Runs the terminal. Refuses whatever only a demo may have: simulated readers, readers over the network, "
        "an open virtual-card port, demo people and PINs. Stop it with SIGTERM: what is open then ends on record.",
    )
    add_config(run)
    run.add_argument(
        "--plain", action="store_true", help="printed lines and prompts, for a serial console or a screen reader"
    )


def _read(commands: Commands) -> None:
    read = add_command(
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
    read.add_argument("--count", type=positive, metavar="N", help="end after N cards")
    read.add_argument(
        "--record",
        metavar="FILE",
        help="write what cards are asked and answer to a new file, UIDs included; keys, account data and whatever "
        "names a person are left out. `--reader simulated:replay=FILE` plays it",
    )
    add_socket(read)


def _tap(commands: Commands) -> None:
    tap = add_command(
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


def _tags(commands: Commands) -> None:
    tags = add_command(
        commands,
        "tags",
        "tags:run",
        "Prints the data elements of a DICOM file, of any SOP class in any transfer syntax, each with its module and "
        "Type. A broken file is printed as far as it parses; exit 1, and where it breaks. A file that is no DICOM: 1.",
        "The file is parsed by a worker under limits of memory and time. Values of more than 64 KiB and pixel data "
        'are a BulkDataURI "?offset=O&length=L" in JSON, and their first bytes otherwise.',
    )
    tags.add_argument("file", metavar="FILE", help="a DICOM file, with preamble or without")
    tags.add_argument(
        "--format",
        choices=("text", "json", "csv"),
        default="text",
        help="text: a line an element (default); json: DICOM JSON Model (PS3.18 Annex F); csv: with header line",
    )
    tags.add_argument("--meta", action="store_true", help="file meta information in JSON, too, where PS3.18 has none")


def _health(commands: Commands) -> None:
    doctor = add_command(
        commands,
        "doctor",
        "doctor:run",
        "Looks at reader, archive, disk, trail and configuration; says what is wrong and how to mend it. Exit 0 when "
        "nothing is wrong, 1 when something is.",
    )
    doctor.add_argument("--json", action="store_true", help="one JSON object a finding")
    add_config(doctor)
    config = commands.add_parser("config", help="the configuration file", description="The configuration file.")
    actions = config.add_subparsers(metavar="ACTION", required=True)
    check = add_command(
        actions,
        "check",
        "config:check",
        "Reads the configuration and says what is wrong with it. Exit 0 when `kiosk run` would take it.",
    )
    add_config(check)
