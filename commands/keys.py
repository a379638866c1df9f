"""The command that makes keys for the settings. It keeps none of them."""

import base64
import os
from argparse import Namespace

from commands.async_runner import print_lines
from core.auth.signing import generate_signing_pem
from core.encryption import KEY_BYTES
from core.settings import Settings


def print_key(_settings: Settings, arguments: Namespace) -> None:
    r"""Print a key for SIGNING_KEY, on one line with `\n` for line ends, or one for SECRET_KEYS."""
    if arguments.signing:
        print_lines(generate_signing_pem().decode().replace("\n", "\\n"))
    else:
        print_lines(base64.b64encode(os.urandom(KEY_BYTES)).decode())
