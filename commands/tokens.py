"""Tokens on the command line, and the key that signs them."""

import sys
from argparse import Namespace

from api.demo_issuer import DemoIssuer
from commands.async_runner import print_lines
from core.auth.signing import SigningKey, issue_platform_token
from core.errors import StartupError
from core.ids import generate_id
from core.settings import Settings


def run(settings: Settings, arguments: Namespace) -> None:
    """Print the token that the command line asks for."""
    print_token(settings, arguments.user_id, arguments.lifetime_s)


def print_token(settings: Settings, user_id: str | None, lifetime_s: int) -> None:
    """Print a token for a demo user, or for the platform if no user is given."""
    settings = add_demo_settings(settings)
    if user_id is None:
        _print_platform_token(load_signing_key(settings), lifetime_s)
    elif settings.demo:
        print_lines(DemoIssuer.load(settings.data_dir).issue(user_id, lifetime_s))
    else:
        raise StartupError(f"No demo found in {settings.data_dir}: start one with --demo first.")


def _print_platform_token(key: SigningKey, lifetime_s: int) -> None:
    """Print a platform token, and on stderr its id, by which it is revoked: the token may be lost before its use."""
    token_id = generate_id()
    sys.stderr.write(f"The id of the token, for revokeCredential: {token_id}\n")
    print_lines(issue_platform_token(key, lifetime_s, token_id))


def add_demo_settings(settings: Settings) -> Settings:
    """The settings; those of a demo if their data directory contains one."""
    return settings.model_copy(update={"demo": settings.demo or DemoIssuer.exists_in(settings.data_dir)})


def load_signing_key(settings: Settings) -> SigningKey:
    """The key that signs platform tokens.

    Raises:
        StartupError: There is no key, or it is invalid.
    """
    key = SigningKey.load(settings)
    if key is None:
        raise StartupError("There is no key to sign platform tokens: set SIGNING_KEY, or start a demo first.")
    return key
