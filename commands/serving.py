"""Serving: where database, keys, live layer, fleet, routes and HTTP are put together."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.routing import Route

from api.app import build_app
from api.demo_issuer import DemoIssuer
from api.demo_page import demo_routes
from api.graphql import Observer
from api.serving import HttpServer, bind, url
from api.tracing import traced
from commands.running import run_to_end, say
from commands.tokens import signing_key
from core.agent_tokens import AgentTokens
from core.collector import keep_what_stands
from core.database import Database
from core.encryption import SecretKeys
from core.issuer import IssuerConfig
from core.settings import Settings
from core.signing import SigningKey, issue_platform_token
from core.tokens import TokenVerifier
from resolvers.binding import bound_schema
from services.agents.fleet import Fleet
from services.clean_up import clean_up_daily
from services.demo import DemoViewer
from services.startup import closed, located_database, opened, unready, with_demo_data
from subscriptions.live import Live


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
        run_to_end(_serve(settings, listener, dsn, demo, observers))


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
            keep_what_stands()  # the schema is 90,000 objects, which would halt requests for 25 ms a round
            await HttpServer(app, listener, lambda: say(*lines)).serve_until_signal()
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


def _tokens(settings: Settings, demo: DemoIssuer, viewers: Sequence[DemoViewer]) -> list[str]:
    """A line for each demo viewer and for the platform: what it is, and a token."""
    lines = [f"{viewer.label}: {demo.issue(viewer.user_id)}" for viewer in viewers]
    return [*lines, f"Platform: {issue_platform_token(signing_key(settings))}"]
