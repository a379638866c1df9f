"""The server and its commands: `python server.py --help`."""

import io
import signal
import sys
from collections.abc import Sequence

from commands import data, serving, simulation, tokens
from commands.command_line import parsed, settings_from
from core.errors import StartupError
from core.logs import configure_logs
from core.signals import as_interrupt, handled_by


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 1 after one line that says why, 130 when interrupted."""
    arguments = parsed(words)
    configure_logs()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not have all that names have
    try:
        with handled_by(as_interrupt, (signal.SIGTERM, signal.SIGHUP)):
            settings = settings_from(arguments)
            match arguments.command:
                case "import":
                    return data.import_export(settings, arguments)
                case "export":
                    data.export(settings, arguments.path)
                case "migrate":
                    data.migrate(settings)
                case "rotate-secrets":
                    data.rotate_secrets(settings)
                case "simulate":
                    simulation.simulate(settings, arguments)
                case "token":
                    tokens.token(settings, arguments.user_id, arguments.lifetime_s)
                case _:
                    serving.serve(settings)
    except StartupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
