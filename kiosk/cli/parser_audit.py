"""The arguments of `kiosk audit` and `kiosk auditd`."""

import argparse
import re

from kiosk.cli.parser_common import Commands, add_command, add_config, add_socket, positive


def audit(commands: Commands) -> None:
    """The record of every act."""
    noun = commands.add_parser(
        "audit", help="the record of every act", description="The record of every act, each against the badge UID."
    )
    actions = noun.add_subparsers(metavar="ACTION", required=True)
    show = add_command(
        actions,
        "show",
        "audit:show",
        "Lists every act, oldest first, each with the badge UID. Asks for the tap of an auditor; --as-auditor shows it "
        "with patients masked instead. Either way the reading is on record itself, except on a copy (--db). With "
        "--person and --day it is that person's day, session by session; with --patient it is who saw that patient, "
        "when, with which badge. Sealed months that were deleted from the trail are looked into as well; it says "
        "which could not be.",
        "Examples:\n"
        "  kiosk audit show --person a.weber --day 2026-11-23\n"
        "  kiosk audit show --patient 4711 --issuer NORTH\n"
        "  kiosk audit show --as-auditor --act tap --outcome serious --from 2026-11-01",
    )
    export = add_command(
        actions,
        "export",
        "audit:dump",
        "Writes the trail to standard output, in UTF-8, sealed months that were deleted from it included. Asks for the "
        "tap of an auditor; --as-auditor masks patients instead. Exit 0 only when every line was written; 1 with a "
        "sentence when the disk filled up, the reader of the output went away, or a sealed month could not be looked "
        "into. Using it is on record itself.",
        "Examples:\n"
        "  kiosk audit export --as-auditor --format xml >messages.xml\n"
        "  kiosk audit export --as-auditor --format csv --act push --day '30 days' >pushes.csv",
    )
    export.add_argument(
        "--format",
        choices=["csv", "jsonl", "xml", "fhir"],
        default="jsonl",
        help="jsonl: a record a line, whose hash can be made again; xml: a DICOM PS3.15 message a line; fhir: an R4 "
        "AuditEvent a line (ndjson); csv: a record a line for spreadsheets (default: jsonl)",
    )
    verify = add_command(
        actions,
        "verify",
        "verify:check",
        "Checks the whole chain, hash by hash and signature by signature, and changes nothing: a copy on another "
        "machine verifies like the original. It names the first bad record. Exit 0 whole; 1 broken; 3 whole in "
        "itself but behind or beside what is known elsewhere (--anchors, --public-key, --mac-key); 4 unreadable.",
        "Example:\n  kiosk audit verify --db /mnt/stick/trail.db --public-key kiosk.pem --anchors anchors.jsonl",
    )
    verify.add_argument(
        "--segment", metavar="FILE", nargs="+", help="sealed segments instead of a trail, one after the other"
    )
    verify.add_argument("--public-key", metavar="FILE", help="what `kiosk audit key` printed")
    verify.add_argument("--anchors", metavar="FILE", help="checkpoints kept elsewhere, one a line")
    verify.add_argument("--mac-key", metavar="FILE", help="the first MAC key, from escrow: every MAC is checked too")
    custody = add_command(
        actions,
        "custody",
        "custody:custody",
        "Prints the path of every push of a study, with the number, time and hash of each record: tap, proof, "
        "decision, query, push, retrieval, delivery, commitment. Every missing link is named. Shows no patient. "
        "With --db and --public-key it needs nothing but the two files. Exit 0 when the chain is whole and every path "
        "unbroken and signed for; 1 at a gap, at a broken chain, or when the study was not pushed; 3 when the trail is "
        "not that key's; 4 unreadable.",
        "Example:\n  kiosk audit custody 1.2.826.0.1.3680043.8.498.1 --db /mnt/stick/trail.db --public-key kiosk.pem",
    )
    custody.add_argument("study", metavar="STUDY-INSTANCE-UID", help="the study's UID")
    custody.add_argument("--public-key", metavar="FILE", help="what `kiosk audit key` printed")
    key = add_command(
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
    seal = add_command(
        actions,
        "seal",
        "retention:seal",
        "Seals the records of every closed month that is not sealed yet into a file of its own, which `kiosk audit "
        "verify --segment` checks anywhere. Whoever writes the trail does it when a month is over. On record.",
        "Example:\n  kiosk audit seal --before 2026-11",
    )
    seal.add_argument("--before", type=_month, metavar="MONTH", help="only months earlier than this one")
    prune = add_command(
        actions,
        "prune",
        "retention:prune",
        "Deletes from the trail the sealed months that are older than audit.keep_months, once every sink has them and "
        "their files are here and whole; says why others stay. Keep copies of the files elsewhere. On record.",
    )
    for command in (show, export):
        command.add_argument("--as-auditor", action="store_true", help="no tap; patients are masked")
        command.add_argument("--first", type=positive, default=1, metavar="N", help="begin with record N")
        add_socket(command)
        _filters(command)
    for command in (show, export, verify, custody):
        command.add_argument("--db", metavar="FILE", help="an offline copy of the trail, instead of this kiosk's")
    for command in (show, export, custody):
        command.add_argument(
            "--archive", metavar="DIR", default="", help="with --db: where its sealed months lie, if some were deleted"
        )
    for command in (show, export, verify, custody, key, seal, prune):
        add_config(command)


def _month(text: str) -> str:
    if not re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", text):
        raise argparse.ArgumentTypeError("a month such as 2026-11, please")
    return text


def _filters(command: argparse.ArgumentParser) -> None:
    filters = command.add_argument_group("filters", "A record is shown that every one of them takes.")
    told = {
        "--person": ("TEXT", "their user ID, or a part of the name"),
        "--badge": ("TOKEN", "a UID in hexadecimal, or a fingerprint such as pkoc:9f2c51d07a3b4e6d"),
        "--patient": ("ID", "a patient ID; needs an auditor's tap"),
        "--issuer": ("NAME", "of that patient ID: the same number of two issuers is two patients"),
        "--study": ("UID", "a Study Instance UID"),
        "--act": (
            "NAME",
            "such as tap, enter_pin, sign_out, query, open_study, open_series, push, deliver",
        ),
        "--outcome": ("WORD", "success, minor, serious or major (0, 4, 8, 12)"),
        "--day": ("DAY", "such as 2026-11-23, today, yesterday, '7 days', 2026-11-01..2026-11-23"),
    }
    for name, (metavar, text) in told.items():
        filters.add_argument(name, default="", metavar=metavar, help=text)
    filters.add_argument("--from", dest="since", default="", metavar="TIME", help="2026-11-23, or 2026-11-23T14:05")
    filters.add_argument("--until", default="", metavar="TIME", help="likewise; a day belongs to it whole")


def auditd(commands: Commands) -> None:
    """The process that writes it."""
    daemon = add_command(
        commands,
        "auditd",
        "auditd:run",
        "Writes the audit trail for the kiosk, behind the socket that [audit] names, as a user of its own: the kiosk "
        "then has no way to change what is written. It tells systemd when it is ready. Stop it with SIGTERM.",
    )
    add_config(daemon)


def delivery(commands: Commands) -> None:
    """The process that delivers it, and how that stands."""
    forwarder = add_command(
        commands,
        "forwarder",
        "forwarding:run",
        'Delivers the audit trail to every [[audit.sinks]], where audit.forwarder = "process"; otherwise the terminal '
        "does. It only reads the trail, and keeps its own cursors: it may be stopped and started at any time, and goes "
        "on where it was. Stop it with SIGTERM.",
    )
    status = add_command(
        commands,
        "status",
        "status:run",
        "Says how far the audit trail has come, up to where it is anchored, and of each sink how many records wait, "
        "how old the oldest is, and why the last try failed. Where the trail is out of reach it says why, and what is "
        "known all the same. Exit 0 when all is well; 1 when the trail does not record, or an anchor or a sink does "
        "not take what it is sent.",
        "Example:\n  kiosk status --json",
    )
    status.add_argument(
        "--json", action="store_true", help="one JSON object, whatever is wrong; what is not known is null"
    )
    for command in (forwarder, status):
        add_config(command)
