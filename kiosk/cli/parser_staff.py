"""The arguments of `kiosk staff` and `kiosk credentials`."""

import argparse

from kiosk.cli.parser_common import Commands, add_command, add_config, add_socket


def staff(commands: Commands) -> None:
    """People, roles and badges."""
    noun = commands.add_parser(
        "staff",
        help="people, roles and badges",
        description="People, roles and badges. Every change is on record under unix:NAME.",
    )
    actions = noun.add_subparsers(metavar="ACTION", required=True)
    bootstrap = add_command(
        actions, "bootstrap", "staff:bootstrap", "Makes the first enrolment officer, once, on record."
    )
    add = add_command(
        actions,
        "add",
        "staff:add",
        "Adds a person. With --tap, waits for their badge at the kiosk's reader and asks for a new PIN; for somebody "
        "who is known already in that role it enrols one more badge.",
        'Example:\n  kiosk staff add a.weber --name "Dr. Anna Weber" --role radiologist --tap',
    )
    listing = add_command(
        actions, "list", "staff:listing", "Lists the people, their roles and how many badges they have."
    )
    listing.add_argument(
        "--credentials", action="store_true", help="a line for each credential, revoked ones too, with its number"
    )
    _staff_changes(actions)
    for command in (bootstrap, add):
        command.add_argument("user_id", metavar="USER-ID", help="how the hospital's directory names them")
        command.add_argument("--name", required=True, help="as the screen shows it")
        command.add_argument("--tap", action="store_true", help="enrol the badge that is tapped next")
        add_socket(command)
    add.add_argument(
        "--role", required=True, help="radiologist, technologist, referring, service, enrolment_officer or auditor"
    )
    for command in (bootstrap, add, listing):
        add_config(command)


def _staff_changes(actions: Commands) -> None:
    enrol = add_command(
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
    add_socket(enrol)
    revoke = add_command(
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
    disable = add_command(
        actions,
        "disable",
        "staff:disable",
        "Lets none of a person's credentials in any more. Their open session ends within seconds.",
    )
    enable = add_command(actions, "enable", "staff:enable", "Takes a disabling back. What was revoked stays revoked.")
    pin = add_command(
        actions,
        "pin",
        "staff:pin",
        "Gives a person a new PIN and forgets the wrong ones entered before. Asks twice without showing it; without a "
        "terminal, reads it from standard input.",
    )
    for command in (disable, enable, pin):
        _person(command)
    for command in (enrol, revoke, disable, enable, pin):
        add_config(command)


def _person(command: argparse.ArgumentParser) -> None:
    command.add_argument("user_id", metavar="PERSON", help="their user ID, as `kiosk staff list` shows it")


def credentials(commands: Commands) -> None:
    """Keys and blank cards."""
    noun = commands.add_parser(
        "credentials",
        help="the site's card keys, and blank cards that become the site's",
        description="The site's card keys, and blank cards that become the site's. On record under unix:NAME, never "
        "with a key.",
    )
    kinds = noun.add_subparsers(metavar="KIND", required=True)
    keys = kinds.add_parser("keys", help="the site's card keys", description="The site's card keys.")
    make = add_command(
        keys.add_subparsers(metavar="ACTION", required=True),
        "make",
        "credentials:make_keys",
        "Makes the key files that [credentials] names and that are not there, each its owner's alone. Never overwrites "
        "one: every card issued under it would be lost.",
    )
    desfire = kinds.add_parser("desfire", help="MIFARE DESFire cards", description="MIFARE DESFire cards.")
    personalise = add_command(
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
        "--random-uid",
        action="store_true",
        help="the card shows another UID at every tap from then on, for good; [credentials.desfire] can say so of each",
    )
    add_socket(personalise)
    for command in (make, personalise):
        add_config(command)
