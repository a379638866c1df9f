"""The command that makes keys for the settings. It keeps none of them."""

import base64
import os
from argparse import Namespace

from commands.async_runner import print_lines
from core.auth.signing import generate_signing_der
from core.encryption import KEY_BYTES
from core.settings import Settings


def print_key(_settings: Settings, arguments: Namespace) -> None:
    r"""Print a key for SIGNING_KEY or one for SECRET_KEYS, in base64.

    No character of base64 has a meaning in a shell, an EnvironmentFile of systemd or a .env file. systemd drops the
    backslashes of a value without quotes, so a PEM with `\n` for its line ends does not survive there.
    """
    key = generate_signing_der() if arguments.signing else os.urandom(KEY_BYTES)
    print_lines(base64.b64encode(key).decode())
