"""The server and its commands: `python server.py --help`."""

import io
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final

import structlog

from commands.command_line import build_settings, choose_log_level, parse_command_line
from core.errors import StartupError
from core.logging import configure_logging
from core.setting_names import find_near_names
from core.settings import Settings
from core.signals import handle_signals, raise_keyboard_interrupt

_log = structlog.get_logger(__name__)

_COMMANDS: Final[Mapping[str | None, tuple[str, str]]] = {
    None: ("serve", "run"),
    "activate": ("backup", "activate"),
    "adopt-agents": ("adoption", "adopt_agents"),
    "backup": ("backup", "back_up_database"),
    "bootstrap": ("bootstrap", "bootstrap_database"),
    "erase-person": ("data", "erase_person"),
    "export": ("data", "export_snapshot"),
    "import": ("data", "import_export"),
    "jobs": ("jobs", "print_jobs"),
    "key": ("keys", "print_key"),
    "migrate": ("data", "migrate"),
    "pause": ("backup", "pause"),
    "restore": ("backup", "restore_database"),
    "rotate-secrets": ("data", "rotate_secrets"),
    "simulate": ("simulate", "simulate"),
    "token": ("tokens", "run"),
    "work": ("job_workers", "run_worker"),
}
"""The module in `commands` and the function of each command; without a command the server serves.

Modules are imported when they are needed: the server's take seconds. A function may return an exit status.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 1 after one line with the reason, 130 after an interrupt."""
    arguments = parse_command_line(words)
    configure_logging()
    for name, near in find_near_names(os.environ).items():
        _log.warning("unknown environment variable", variable=name, near=near)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may lack characters of a name
    try:
        with handle_signals(raise_keyboard_interrupt, (signal.SIGTERM, signal.SIGHUP)):
            settings = build_settings(arguments)
            configure_logging(level=choose_log_level(settings, terminal=sys.stderr.isatty()))
            module, function = _COMMANDS[arguments.command]
            run: Callable[[Settings, Namespace], int | None] = getattr(
                import_module(f"commands.{module}"), function
            )
            return run(settings, arguments) or 0
    except StartupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
