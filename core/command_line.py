"""What may stand on the command line, and the settings that it makes with the environment."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from core.errors import StartupError
from core.limits import ISSUED_TOKEN_LIFETIME_S
from core.settings import Settings


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line as a namespace: `command` (None or its name), its options, given settings.

    `words` is `sys.argv` without the program's name, by default. A bad command line ends the process with
    status 2 and the usage on stderr, as argparse does.
    """
    parser = argparse.ArgumentParser(
        description="Serves GraphQL. Settings come from the environment.",
        parents=[_shared()],
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--demo", action="store_true", help="load demo data and accept demo tokens")
    parser.add_argument("--host", help="the address to listen on")
    parser.add_argument("--port", help="the port to listen on; 0 takes a free one")
    commands = parser.add_subparsers(dest="command", metavar="{migrate,rotate-secrets,token}")
    commands.add_parser("migrate", parents=[_shared()], help="bring the database up to date, and end")
    commands.add_parser(
        "rotate-secrets", parents=[_shared()], help="put all secrets under the first of SECRET_KEYS, and end"
    )
    _add_token(commands.add_parser("token", parents=[_shared()], help="print a bearer token, and end"))
    return parser.parse_args(words)


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The environment's settings, and over them those of the command line.

    Raises:
        StartupError: a value is not what its setting takes; the message names the setting, not the value.
    """
    given = {name: value for name, value in vars(arguments).items() if name in Settings.model_fields}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        raise StartupError(f"{'.'.join(map(str, first['loc'])).upper()}: {first['msg']}.") from error


def _shared() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument(
        "--data-dir", type=Path, help="where the embedded PostgreSQL and the demo's keys live"
    )
    return shared


def _add_token(parser: argparse.ArgumentParser) -> None:
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("user_id", nargs="?", metavar="USER_ID", help="a demo user's id")
    whom.add_argument("--platform", action="store_true", help="a token of the platform instead")
    parser.add_argument(
        "--expires-in", type=_seconds, default=ISSUED_TOKEN_LIFETIME_S, metavar="SECONDS", dest="lifetime_s"
    )


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a number of seconds, 1 or more")
    return int(text)
