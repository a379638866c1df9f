"""The command that lets imported agents check in without a token for a time."""

from argparse import Namespace
from datetime import UTC, datetime

from commands.async_runner import print_lines, run_to_end
from core.clock import now_ms
from core.database.transactions import WriteTransaction, run_in_transaction
from core.errors import ProductError, StartupError
from core.limits import ADOPTION_DAYS_MAX
from core.settings import Settings
from services.agents.legacy_agents import AdoptionResult, list_legacy_agents
from services.startup import close_database, locate_database, open_database

_DAY_MS = 86_400_000


def adopt_agents(settings: Settings, arguments: Namespace) -> None:
    """List the imported agents that may check in by their ids alone, and print how many there are.

    Raises:
        StartupError: The date is too far away, there is no such site, or the database is unreachable.
    """
    until = arguments.until
    if until > now_ms() + ADOPTION_DAYS_MAX * _DAY_MS:
        raise StartupError(f"--until must be within {ADOPTION_DAYS_MAX} days: the agents' ids are no secret.")
    with locate_database(settings) as dsn:
        done = run_to_end(_adopt(dsn, settings, arguments.site, until))
    if done is None:
        raise StartupError(f"There is no site {arguments.site!r}.")
    print_lines(*_describe(done, until))


async def _adopt(dsn: str, settings: Settings, site_id: str | None, until: int) -> AdoptionResult | None:
    async def adopt_in_transaction(transaction: WriteTransaction) -> AdoptionResult | None:
        return await list_legacy_agents(transaction, site_id, until, is_past=until <= now_ms())

    database = await open_database(dsn, settings)
    try:
        return await run_in_transaction(database, adopt_in_transaction, platform=True)
    except ProductError as error:
        raise StartupError(f"Nothing was changed: {error.message}") from error
    finally:
        await close_database(database)


def _describe(done: AdoptionResult, until: int) -> list[str]:
    at = datetime.fromtimestamp(until // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if until <= now_ms():
        return [f"The time of {done.changed} agents without a token is over."]
    return [
        f"Listed {done.listed} agents, and changed the date of {done.changed}.",
        f"Until {at} whoever knows the ids of one of them can check in as it. Servers admit them within 15 seconds.",
        "Next: update the agents. `legacyAgents(where: {tradedAt: {isNull: true}})` has those that are left.",
    ]
