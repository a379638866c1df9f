"""The server and its commands: where settings, database, keys, routes and HTTP are put together."""

import argparse
import asyncio
import gc
import io
import signal
import socket
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from starlette.routing import Route

from api.app import build_app
from api.demo_issuer import DemoIssuer
from api.demo_page import demo_routes
from api.graphql import Observer
from api.serving import HttpServer, bind, url
from api.tracing import traced
from core.agent_tokens import AgentTokens
from core.command_line import parsed, settings_from
from core.database import Database
from core.encryption import SecretKeys
from core.errors import StartupError
from core.issuer import IssuerConfig
from core.logs import configure_logs
from core.settings import Settings
from core.signals import as_interrupt, handled_by
from core.signing import SigningKey, issue_platform_token
from core.tokens import TokenVerifier
from resolvers.binding import bound_schema
from services.agents.fleet import Fleet
from services.clean_up import clean_up_daily
from services.convex_export import export_convex
from services.demo import DemoViewer
from services.imports.importing import Origin, import_data, opened_source, wishes
from services.startup import (
    closed,
    direct,
    located_database,
    migrated,
    opened,
    rotated,
    unready,
    with_demo_data,
)
from simulator.ending import Ending
from simulator.plan import Plan
from subscriptions.live import Live

Result = TypeVar("Result")


def serve(settings: Settings) -> None:
    """Serves until a signal; the quick reasons not to start come before the slow parts of starting."""
    demo = DemoIssuer.load(settings.data_dir) if settings.demo else None
    if demo is None:
        IssuerConfig.from_settings(settings)
    with (
        traced(settings) as observers,
        bind(settings.host, settings.port) as listener,
        located_database(settings) as dsn,
    ):
        _run(_serve(settings, listener, dsn, demo, observers))


async def _serve(
    settings: Settings,
    listener: socket.socket,
    dsn: str,
    demo: DemoIssuer | None,
    observers: Sequence[Observer],
) -> None:
    host, port = listener.getsockname()[:2]
    issuer = demo.config(host, port) if demo else IssuerConfig.from_settings(settings)
    key = SigningKey.load(settings)
    verifier, tokens = TokenVerifier(issuer, key), AgentTokens(key, SigningKey.load_former(settings))
    database = await opened(dsn, settings)
    try:
        lines = [f"Serving on {url(listener)}/graphql"]
        routes: list[Route] = []
        if demo:
            viewers = await with_demo_data(dsn, SecretKeys.load(settings))
            lines += _tokens(settings, demo, viewers)
            routes = [demo.route(), *demo_routes(demo, viewers)]
        async with (
            live_queries(database, settings) as live,
            Fleet.open(database, tokens, settings, live.ring) as fleet,
            _beside(clean_up_daily(database)),
        ):
            app = build_app(
                database, verifier, settings, lambda: unready(dsn), routes, observers, live, fleet
            )
            _keep_what_stands()
            await HttpServer(app, listener, lambda: _say(*lines)).serve_until_signal()
    finally:
        await verifier.close()
        await closed(database)


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Does the work beside the block, and no longer."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def live_queries(database: Database, settings: Settings) -> AsyncIterator[Live]:
    """The live layer over this database, while this lasts."""
    live = await Live.open(database, bound_schema()[1], settings)
    try:
        yield live
    finally:
        await live.close()


def _keep_what_stands() -> None:
    """Takes the schema's 90,000 objects out of the garbage collector's rounds: each would halt requests for 25 ms."""
    gc.collect()
    gc.freeze()


def _tokens(settings: Settings, demo: DemoIssuer, viewers: Sequence[DemoViewer]) -> list[str]:
    """A line for each demo viewer and for the platform: what it is, and a token."""
    lines = [f"{viewer.label}: {demo.issue(viewer.user_id)}" for viewer in viewers]
    return [*lines, f"Platform: {issue_platform_token(_signing_key(settings))}"]


def migrate(settings: Settings) -> None:
    """Brings the database up to the code, and says what that took."""
    with located_database(settings) as dsn:
        versions = _run(migrated(dsn, settings))
    _say(*[f"Applied {version}" for version in versions] or ["The database is up to date."])


def token(settings: Settings, user_id: str | None, lifetime_s: int) -> None:
    """Prints a token for a demo user, or for the platform where no user is named."""
    settings = _of_demo(settings)
    if user_id is None:
        _say(issue_platform_token(_signing_key(settings), lifetime_s))
    elif settings.demo:
        _say(DemoIssuer.load(settings.data_dir).issue(user_id, lifetime_s))
    else:
        raise StartupError(f"There is no demo in {settings.data_dir}: start one with --demo first.")


def simulate(settings: Settings, asked: Namespace) -> None:
    """Lets a fleet of agents that are not there check in at a server."""
    from simulator.command import simulate as simulated  # rich takes a while to load, which no server needs

    settings = _of_demo(settings)
    platform = None if asked.enrollment_tokens else issue_platform_token(_signing_key(settings))
    plan = Plan(
        agents=asked.agents,
        interval_s=asked.interval,
        duration_s=asked.duration,
        drop=asked.drop,
        away_s=asked.away,
        connections=asked.connections,
    )
    ending = Ending()
    with handled_by(ending.ask):
        if _run(simulated(asked.url, plan, asked.enrollment_tokens, platform, ending)) is None:
            raise KeyboardInterrupt


def rotate_secrets(settings: Settings) -> None:
    """Puts every secret under the first key, and says how many that took."""
    keys = SecretKeys.load(_of_demo(settings))
    if not keys:
        raise StartupError("Nothing to seal secrets with: set SECRET_KEYS, the new key first.")
    with located_database(settings) as dsn:
        done = _run(rotated(dsn, keys))
    _say(f"Renewed {done.renewed + done.covered} secrets; {done.current} were under the first key already.")
    if done.unreadable:
        raise StartupError(
            f"None of SECRET_KEYS opens a secret of {', '.join(done.unreadable)}: left as it is."
        )


def import_export(settings: Settings, arguments: argparse.Namespace) -> int:
    """Loads another system's export; returns the exit status: 1 where --strict has refused it."""
    wanted = wishes(arguments.tables, dry_run=arguments.dry_run, strict=arguments.strict)
    keys = SecretKeys.load(_of_demo(settings))
    with (
        closing(opened_source(Origin(arguments.origin), arguments.path)) as source,
        located_database(settings) as dsn,
    ):
        _run(_ready(dsn, settings, dry_run=arguments.dry_run))
        report = _run(import_data(direct(dsn, settings), settings, source, wanted, sys.stdout, keys))
    return int(wanted.strict and report.rejected > 0)


async def _ready(dsn: str, settings: Settings, *, dry_run: bool) -> None:
    """A migrated database; a dry run does not even migrate."""
    if not dry_run:
        await migrated(dsn, settings)
    elif problem := await unready(dsn):
        raise StartupError(f"A dry run changes nothing, and {problem}: run `python server.py migrate` first.")


def export(settings: Settings, path: Path) -> None:
    """Writes everything as a Convex snapshot, and says how much that was."""
    with located_database(settings) as dsn:
        counts = _run(export_convex(direct(dsn, settings), path))
    _say(*(f"{table:<27}{count:>11,}" for table, count in counts.items()))


def _of_demo(settings: Settings) -> Settings:
    """The settings, as those of a demo where one has been in their data directory."""
    return settings.model_copy(update={"demo": settings.demo or DemoIssuer.is_in(settings.data_dir)})


def _signing_key(settings: Settings) -> SigningKey:
    key = SigningKey.load(settings)
    if key is None:
        raise StartupError("Nothing to sign platform tokens with: set SIGNING_KEY, or start a demo first.")
    return key


def _run(task: Coroutine[Any, Any, Result]) -> Result:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(task)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


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
                    return import_export(settings, arguments)
                case "export":
                    export(settings, arguments.path)
                case "migrate":
                    migrate(settings)
                case "rotate-secrets":
                    rotate_secrets(settings)
                case "simulate":
                    simulate(settings, arguments)
                case "token":
                    token(settings, arguments.user_id, arguments.lifetime_s)
                case _:
                    serve(settings)
    except StartupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
