"""The command that makes an empty database ready for its first administrator."""

from argparse import Namespace
from datetime import UTC, datetime

from commands.async_runner import print_lines, run_to_end
from commands.tokens import add_demo_settings
from core.encryption import SecretKeys
from core.errors import ProductError, StartupError
from core.settings import Settings
from services.bootstrap import BootstrapPlan, BootstrapResult, bootstrap
from services.catalog.entries import CATALOG
from services.catalog.roles import ROLES
from services.startup import close_database, locate_database, open_database


def bootstrap_database(settings: Settings, arguments: Namespace) -> None:
    """Create the catalog, the global roles, a tenant and its administrator, and print what there is now.

    Raises:
        StartupError: The database is unreachable, or a row contradicts the arguments. Nothing was changed.
    """
    plan = BootstrapPlan(
        tenant=arguments.tenant,
        email=arguments.admin_email,
        name=arguments.admin_name or arguments.admin_email.partition("@")[0],
        subject=arguments.admin_id,
        timezone=arguments.timezone,
    )
    keys = SecretKeys.load(add_demo_settings(settings))
    with locate_database(settings) as dsn:
        done = run_to_end(_bootstrap(dsn, settings, keys, plan))
    print_lines(*_describe(plan, done))


async def _bootstrap(dsn: str, settings: Settings, keys: SecretKeys, plan: BootstrapPlan) -> BootstrapResult:
    database = await open_database(dsn, settings)
    try:
        return await bootstrap(database, keys, plan)
    except ProductError as error:
        fields = "".join(f"; {name} {problem}" for name, problem in error.fields.items())
        raise StartupError(f"Nothing was created: {error.message}{fields}") from error
    finally:
        await close_database(database)


def _describe(plan: BootstrapPlan, done: BootstrapResult) -> list[str]:
    lines = [
        f"Catalog: {', '.join(entry.id for entry in CATALOG)}{_describe_kept(done.catalog.kept)}",
        f"Global roles: {', '.join(role.name for role in ROLES)} ({len(done.roles.added)} new)"
        f"{_describe_kept(done.roles.kept)}",
        f"Tenant: {plan.tenant} ({done.tenant_id}, {_describe_age(is_new=done.new_tenant)})",
        f"Administrator: {plan.email} ({done.user_id}, {_describe_age(is_new=done.new_user)})",
    ]
    if done.invitation is None:
        return [*lines, f"Next: start the server, and sign in with a token whose `sub` is {done.user_id}."]
    until = datetime.fromtimestamp(done.invitation.expires_at // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return [
        *lines,
        f"Invitation code, until {until}: {done.invitation.code}",
        "Next: start the server, and sign in once with the header X-Invitation-Code. "
        "An earlier code is not valid any more.",
    ]


def _describe_kept(names: tuple[str, ...]) -> str:
    return f"; left as changed: {', '.join(names)}" if names else ""


def _describe_age(*, is_new: bool) -> str:
    return "new" if is_new else "there already"
