"""Every subcommand explains itself, and none traces back when it is used wrongly."""

import pytest

from tests.end_to_end.program import kiosk

HELP = {
    "": ("Not for diagnosis", "Exit codes: 0 done, 1 something is wrong", "demo", "doctor"),
    "demo": ("F1 to F4", "--check", "Nothing of it is kept", "  kiosk audit verify --config DIR/kiosk.toml"),
    "run": ("Refuses whatever only a demo may have", "--plain", "SIGTERM"),
    "read": ("opens no session", '"assurance": "IDENTIFIER"}', "simulated:DECK.toml"),
    "tap": ("running simulated reader", "? lists them", "  radiologist-desfire  radiologist-piv", "  kiosk tap ?"),
    "staff": ("unix:NAME", "bootstrap", "add", "list"),
    "staff bootstrap": ("first enrolment officer, once",),
    "staff add": ("--tap", "radiologist, technologist", "a new PIN"),
    "staff list": ("roles", "--credentials"),
    "staff enrol": ("what it can prove", "a second time", "Refuses random UIDs", "  kiosk staff enrol a.weber\n"),
    "staff revoke": ("for good", "PERSON CREDENTIAL", "within seconds"),
    "staff disable": ("none of a person's credentials", "within seconds"),
    "staff enable": ("revoked stays revoked",),
    "staff pin": ("Asks twice", "from standard input"),
    "credentials": ("unix:NAME", "keys", "desfire"),
    "credentials keys": ("make",),
    "credentials keys make": ("Never overwrites one",),
    "credentials desfire": ("personalise",),
    "credentials desfire personalise": ("goes on where it stopped", "--random-uid", "--reader SPEC", "for good"),
    "audit": ("against the badge UID", "show", "export", "verify"),
    "audit show": (
        "tap of an auditor",
        "patients masked",
        "on record itself",
        "that person's day",
        "  kiosk audit show --person a.weber --day 2026-11-23\n",
        "--until TIME",
    ),
    "audit export": ("PS3.15 message a line", "AuditEvent a line", "masks patients", "Exit 0 only when every line"),
    "audit custody": ("Every missing link is named", "nothing but the two files", "Exit 0", "STUDY-INSTANCE-UID"),
    "audit verify": ("hash by hash", "Exit 0 whole; 1 broken", "a copy on another machine"),
    "doctor": ("how to mend it", "Exit 0 when nothing is wrong"),
    "config": ("check",),
    "config check": ("Exit 0 when `kiosk run` would take it",),
}


@pytest.mark.parametrize("words", HELP)
def test_help_says_what_the_command_does(words: str, environment: dict[str, str]) -> None:
    done = kiosk(environment, *words.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    unwrapped = " ".join(done.stdout.split())
    for said in HELP[words]:
        assert " ".join(said.split()) in unwrapped
    # What is copied from an example must work: its line is not wrapped.
    for example in (said for said in HELP[words] if said.startswith("  ")):
        assert example in done.stdout


@pytest.mark.parametrize(
    "words",
    ["", "staff", "audit", "nonsense", "tap", "audit export --format yaml", "read --count 0", "audit show --first x"],
)
def test_what_is_misused_ends_with_two_and_the_usage(words: str, environment: dict[str, str]) -> None:
    done = kiosk(environment, *words.split())
    assert done.returncode == 2
    assert done.stderr.startswith("usage: kiosk")
    assert "Traceback" not in done.stderr
