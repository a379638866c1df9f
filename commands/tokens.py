"""Tokens on the command line, and the key that they are signed with."""

from api.demo_issuer import DemoIssuer
from commands.running import say
from core.errors import StartupError
from core.settings import Settings
from core.signing import SigningKey, issue_platform_token


def token(settings: Settings, user_id: str | None, lifetime_s: int) -> None:
    """Prints a token for a demo user, or for the platform where no user is named."""
    settings = of_demo(settings)
    if user_id is None:
        say(issue_platform_token(signing_key(settings), lifetime_s))
    elif settings.demo:
        say(DemoIssuer.load(settings.data_dir).issue(user_id, lifetime_s))
    else:
        raise StartupError(f"There is no demo in {settings.data_dir}: start one with --demo first.")


def of_demo(settings: Settings) -> Settings:
    """The settings, as those of a demo where one has been in their data directory."""
    return settings.model_copy(update={"demo": settings.demo or DemoIssuer.is_in(settings.data_dir)})


def signing_key(settings: Settings) -> SigningKey:
    """What platform tokens are signed with.

    Raises:
        StartupError: There is no key, or it is none.
    """
    key = SigningKey.load(settings)
    if key is None:
        raise StartupError("Nothing to sign platform tokens with: set SIGNING_KEY, or start a demo first.")
    return key
