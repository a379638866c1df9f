"""The command line, and the settings that it overrides."""

import argparse
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from core.errors import StartupError
from core.limits import ISSUED_TOKEN_LIFETIME_S
from core.settings import Settings
from core.version import VERSION
from models.enums import JobStatus


def parse_command_line(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line into a namespace: `command` (its name or None), its options, the given settings.

    `words` is `sys.argv` without the program's name, by default. An invalid command line ends the process with
    status 2 and the usage on stderr, as argparse does.
    """
    parser = argparse.ArgumentParser(
        description="The GraphQL server and its commands. Settings come from the environment.",
        parents=[_build_shared_options()],
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", action="version", version=f"msp-graphql {VERSION}")
    parser.add_argument("--demo", action="store_true", help="load demo data and accept demo tokens")
    parser.add_argument("--host", help="the address to listen on")
    parser.add_argument("--port", help="the port to listen on; 0 selects a free one")
    parser.add_argument("--workers", help="processes that serve on one port")
    commands = parser.add_subparsers(
        dest="command",
        metavar="{activate,adopt-agents,backup,bootstrap,erase-person,export,import,jobs,key,migrate,pause,restore,"
        "rotate-secrets,simulate,token,work}",
    )
    _add_adoption_command(
        commands.add_parser(
            "adopt-agents",
            parents=[_build_shared_options()],
            help="let imported agents check in without a token for a time, and end",
        )
    )
    _add_backup_commands(commands)
    _add_bootstrap_command(
        commands.add_parser(
            "bootstrap",
            parents=[_build_shared_options()],
            help="create the catalog, the global roles, a tenant and its administrator",
        )
    )
    _add_jobs_command(
        commands.add_parser(
            "jobs", parents=[_build_shared_options()], help="list background jobs, the newest first"
        )
    )
    _add_key_command(commands.add_parser("key", help="print a new key for the settings"))
    erase = commands.add_parser(
        "erase-person", parents=[_build_shared_options()], help="erase the personal values of a deleted user"
    )
    erase.add_argument("user_id", metavar="USER_ID", help="the id of the user")
    _add_import_command(commands.add_parser("import", help="import an export of another system"))
    _add_export_command(commands.add_parser("export", help="export all data in the format of another system"))
    migrate = commands.add_parser(
        "migrate", parents=[_build_shared_options()], help="migrate the database to the current version"
    )
    migrate.add_argument(
        "--to",
        type=_parse_step,
        metavar="STEP",
        dest="target",
        help="apply or revert steps so that this one is the last",
    )
    migrate.set_defaults(target=None)
    _add_migrate_command(migrate)
    commands.add_parser(
        "rotate-secrets",
        parents=[_build_shared_options()],
        help="encrypt all secrets again with the first of SECRET_KEYS",
    )
    _add_simulate_command(
        commands.add_parser(
            "simulate",
            parents=[_build_shared_options()],
            help="enroll a simulated fleet of agents and send its check-ins",
        )
    )
    _add_token_command(
        commands.add_parser("token", parents=[_build_shared_options()], help="print a bearer token")
    )
    commands.add_parser(
        "work", parents=[_build_shared_options()], help="run background jobs, and serve nothing"
    )
    return parser.parse_args(words)


def choose_log_level(settings: Settings, *, terminal: bool) -> str:
    """The least severe lines to log.

    A demo on a terminal leaves its requests out, unless LOG_LEVEL is set. They would scroll the tokens away.
    """
    is_chosen = "log_level" in settings.model_fields_set
    return "warning" if settings.demo and terminal and not is_chosen else settings.log_level


def build_settings(arguments: argparse.Namespace) -> Settings:
    """The environment's settings, overridden by those of the command line.

    Raises:
        StartupError: A value is invalid for its setting; the message names the setting, not the value.
    """
    given = {name: value for name, value in vars(arguments).items() if name in Settings.model_fields}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        raise StartupError(f"{'.'.join(map(str, first['loc'])).upper()}: {first['msg']}.") from error


def _build_shared_options() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument(
        "--data-dir", type=Path, help="the folder of the embedded PostgreSQL and the demo's keys"
    )
    return shared


def _add_backup_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    backup = commands.add_parser(
        "backup", parents=[_build_shared_options()], help="write a verified backup of the database"
    )
    backup.add_argument("path", type=Path, metavar="FILE", help="the new file")
    restore = commands.add_parser(
        "restore", parents=[_build_shared_options()], help="restore a backup into an empty database, paused"
    )
    restore.add_argument("path", type=Path, metavar="FILE", help="a file of the command backup")
    _add_migrate_command(restore)
    commands.add_parser(
        "activate",
        parents=[_build_shared_options()],
        help="let jobs, schedules and webhooks of a restored copy run",
    )
    commands.add_parser(
        "pause", parents=[_build_shared_options()], help="pause jobs, schedules and webhooks until activate"
    )


def _add_migrate_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--change-rls-mode",
        action="store_true",
        default=False,
        help="change the mode of row-level security to the one that the rights of this role allow",
    )


def _add_adoption_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until",
        type=_parse_date,
        required=True,
        metavar="DATE",
        help="2027-03-31, at its end in UTC; a date in the past ends the time of those that are listed",
    )
    parser.add_argument("--site", metavar="ID", default=None, help="only the agents of this site")


def _parse_date(text: str) -> int:
    """The end of a day in UTC, in ms since the epoch."""
    day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)  # argparse reports its ValueError
    return int((day + timedelta(days=1)).timestamp() * 1000)


def _add_bootstrap_command(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--tenant", required=True, metavar="NAME", help="the tenant; one of this name is used if it exists")
    add("--admin-email", required=True, metavar="ADDRESS", help="the administrator's e-mail address")
    add("--admin-name", metavar="NAME", default=None, help="the administrator's name")
    add("--timezone", metavar="ZONE", default=None, help="the tenant's time zone, such as Europe/Berlin")
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--admin-id", metavar="SUBJECT", help="the `sub` of the administrator's tokens")
    whom.add_argument("--invite", action="store_true", help="print a code for the administrator instead")
    parser.set_defaults(admin_id=None)


def _add_jobs_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tenant", metavar="ID", default=None, help="only those of this tenant")
    parser.add_argument(
        "--status", type=str.lower, choices=[*JobStatus], default=None, help="only those with this status"
    )


def _add_key_command(parser: argparse.ArgumentParser) -> None:
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument(
        "--signing", action="store_true", help="for SIGNING_KEY: an EC P-256 private key in base64"
    )
    kind.add_argument("--secret", action="store_true", help="for SECRET_KEYS: 32 random bytes in base64")
    parser.set_defaults(signing=False)


def _add_token_command(parser: argparse.ArgumentParser) -> None:
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("user_id", nargs="?", metavar="USER_ID", help="the id of a demo user")
    whom.add_argument("--platform", action="store_true", help="print a platform token instead")
    parser.add_argument(
        "--expires-in",
        type=_parse_seconds,
        default=ISSUED_TOKEN_LIFETIME_S,
        metavar="SECONDS",
        dest="lifetime_s",
        help="the lifetime of the token in seconds (%(default)s)",
    )


def _add_simulate_command(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--agents", type=_parse_count, default=100, metavar="N", help="the number of agents (%(default)s)")
    add(
        "--interval",
        type=_parse_duration,
        default=60.0,
        metavar="SECONDS",
        help="the seconds between two check-ins of an agent (%(default)s)",
    )
    add("--url", help="the URL of the server (http://127.0.0.1 with the port of the setting PORT)")
    add(
        "--enrollment-token",
        action="append",
        default=[],
        metavar="TOKEN",
        dest="enrollment_tokens",
        help="an enrollment token of a site; several tokens share the agents; optional in a demo",
    )
    add(
        "--duration",
        type=_parse_duration,
        metavar="SECONDS",
        help="the duration in seconds (until Ctrl-C)",
    )
    add(
        "--drop",
        type=_parse_share,
        default=0.0,
        metavar="SHARE",
        help="the share of agents that are offline at any time, such as 0.1",
    )
    add(
        "--away",
        type=_parse_duration,
        default=300.0,
        metavar="SECONDS",
        help="the seconds after which an offline agent returns (%(default)s)",
    )
    add(
        "--connections",
        type=_parse_count,
        default=500,
        metavar="N",
        help="the maximum number of connections, shared by all agents (%(default)s)",
    )
    parser.set_defaults(duration=None)


def _parse_count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be an integer, 1 or more")
    return int(text)


def _parse_duration(text: str) -> float:
    seconds = _parse_number(text)
    if seconds <= 0:
        raise argparse.ArgumentTypeError("must be a number of seconds greater than 0")
    return seconds


def _parse_share(text: str) -> float:
    share = _parse_number(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return share


def _parse_number(text: str) -> float:
    number = float(text)  # argparse reports its ValueError
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError("must be a number")
    return number


def _add_import_command(parser: argparse.ArgumentParser) -> None:
    origins = parser.add_subparsers(dest="origin", metavar="{convex,supabase}", required=True)
    convex = origins.add_parser(
        "convex", parents=[_build_shared_options()], help="a snapshot of `npx convex export`"
    )
    convex.add_argument("path", type=Path, metavar="SNAPSHOT.zip")
    supabase = origins.add_parser(
        "supabase", parents=[_build_shared_options()], help="CSV files, or a dump as text"
    )
    supabase.add_argument("path", type=Path, metavar="FOLDER_OR_DUMP")
    for origin in (convex, supabase):
        origin.add_argument(
            "--dry-run", action="store_true", help="report what would happen and change nothing"
        )
        origin.add_argument("--strict", action="store_true", help="import all rows or none")
        origin.add_argument(
            "--user-id-field",
            metavar="FIELD",
            default=None,
            help="the field with the ids of users in their tokens, such as clerkId, if it is not the usual one",
        )
        origin.add_argument(
            "--tables",
            type=_parse_names,
            default=None,
            metavar="TABLE,...",
            help="only these tables, separated by commas",
        )


def _add_export_command(parser: argparse.ArgumentParser) -> None:
    targets = parser.add_subparsers(dest="target", metavar="{convex}", required=True)
    convex = targets.add_parser(
        "convex", parents=[_build_shared_options()], help="a snapshot for another server of this kind"
    )
    convex.add_argument("path", type=Path, metavar="FILE", help="the ZIP file to write")


def _parse_names(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def _parse_seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a number of seconds, 1 or more")
    return int(text)


def _parse_step(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be the number of a step, 0 or more")
    return int(text)
