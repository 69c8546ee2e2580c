"""What the arguments of all subcommands share. Handlers are named, not imported: `--help` loads nothing else."""

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

DEFAULT_CONFIG = "/etc/kiosk/kiosk.toml"


class Help(argparse.HelpFormatter):
    """Wraps paragraphs; lines that begin with blanks are examples and stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n".join(line if line.startswith(" ") else fill(line, width, indent) for line in text.split("\n"))


def add_command(commands: Commands, name: str, handler: str, text: str, examples: str = "") -> argparse.ArgumentParser:
    """Adds a subcommand; `handler` is the "module:function" of kiosk.cli that runs it."""
    summary = text[0].lower() + text[1:].partition(". ")[0].rstrip(".")
    command = commands.add_parser(name, help=summary, description=text, epilog=examples, formatter_class=Help)
    command.set_defaults(handler=f"kiosk.cli.{handler}")
    return command


def add_config(command: argparse.ArgumentParser) -> None:
    """Adds --config."""
    command.add_argument(
        "--config",
        default=DEFAULT_CONFIG,
        metavar="FILE",
        help=f"the kiosk's configuration (default: {DEFAULT_CONFIG})",
    )


def positive(text: str) -> int:
    """A whole number from 1 on; raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 on, please")
    return int(text)


def add_socket(command: argparse.ArgumentParser) -> None:
    """Adds --socket."""
    command.add_argument(
        "--socket",
        metavar="PATH",
        help="where `kiosk tap` finds the reader if it is a simulated one (default: the user's runtime directory)",
    )
