"""What may stand on the command line, and the settings that it makes with the environment."""

import argparse
import math
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
    commands = parser.add_subparsers(
        dest="command", metavar="{export,import,migrate,rotate-secrets,simulate,token}"
    )
    _add_import(commands.add_parser("import", help="load an export of another system, and end"))
    _add_export(commands.add_parser("export", help="write everything as another system's export, and end"))
    commands.add_parser("migrate", parents=[_shared()], help="bring the database up to date, and end")
    commands.add_parser(
        "rotate-secrets", parents=[_shared()], help="put all secrets under the first of SECRET_KEYS, and end"
    )
    _add_simulate(
        commands.add_parser(
            "simulate",
            parents=[_shared()],
            help="enrol a fleet of agents that are not there, and let it check in",
        )
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


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--agents", type=_count, default=100, metavar="N", help="how many (%(default)s)")
    add("--interval", type=_duration, default=60.0, metavar="SECONDS", help="between two beats (%(default)s)")
    add("--url", default="http://127.0.0.1:8000", help="where the server is (%(default)s)")
    add(
        "--enrollment-token",
        action="append",
        default=[],
        metavar="TOKEN",
        dest="enrollment_tokens",
        help="of the site to enrol at; several share the agents; in a demo it can be left out",
    )
    add(
        "--duration",
        type=_duration,
        metavar="SECONDS",
        help="for how long to beat; until Ctrl-C unless given",
    )
    add("--drop", type=_share, default=0.0, metavar="SHARE", help="of the agents is away at any time: 0.1")
    add("--away", type=_duration, default=300.0, metavar="SECONDS", help="and comes back after (%(default)s)")
    add(
        "--connections",
        type=_count,
        default=500,
        metavar="N",
        help="at once at most, which all agents share (%(default)s)",
    )
    parser.set_defaults(duration=None)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a number, 1 or more")
    return int(text)


def _duration(text: str) -> float:
    seconds = _number(text)
    if seconds <= 0:
        raise argparse.ArgumentTypeError("must be a number of seconds, more than 0")
    return seconds


def _share(text: str) -> float:
    share = _number(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return share


def _number(text: str) -> float:
    number = float(text)  # its ValueError becomes argparse's own message
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError("must be a number")
    return number


def _add_import(parser: argparse.ArgumentParser) -> None:
    origins = parser.add_subparsers(dest="origin", metavar="{convex,supabase}", required=True)
    convex = origins.add_parser("convex", parents=[_shared()], help="a snapshot of `npx convex export`")
    convex.add_argument("path", type=Path, metavar="SNAPSHOT.zip")
    supabase = origins.add_parser("supabase", parents=[_shared()], help="CSV files, or a dump as text")
    supabase.add_argument("path", type=Path, metavar="FOLDER_OR_DUMP")
    for origin in (convex, supabase):
        origin.add_argument("--dry-run", action="store_true", help="only say what would happen")
        origin.add_argument("--strict", action="store_true", help="take all rows, or none")
        origin.add_argument(
            "--tables", type=_words, default=None, metavar="TABLE,...", help="only these, with commas between"
        )


def _add_export(parser: argparse.ArgumentParser) -> None:
    targets = parser.add_subparsers(dest="target", metavar="{convex}", required=True)
    convex = targets.add_parser("convex", parents=[_shared()], help="a snapshot for another of these servers")
    convex.add_argument("path", type=Path, metavar="FILE", help="the ZIP file to make")


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a number of seconds, 1 or more")
    return int(text)
