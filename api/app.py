"""The application: what is served under which path."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from api.agent_api import AgentApi, AgentDoor
from api.agent_metrics import FleetUse
from api.bearer import INVITATION_HEADER, TENANT_HEADER
from api.compression import Compression
from api.graphiql_page import GraphiqlPage
from api.graphql import GraphQLApp, Observer
from api.health import Health
from api.live_metrics import LiveUse
from api.metrics import Metrics
from api.operations import Operations
from api.request_record import REQUEST_ID, TRACEPARENT, RequestRecord
from api.socket_endpoint import SocketEndpoint
from api.socket_host import Host, LiveQueries
from api.sockets import Sockets
from core.database import Database
from core.limits import COMPRESSED_FROM_BYTES
from core.settings import Settings
from core.tokens import TokenVerifier
from core.transactions import unheard
from services.agents.fleet import Fleet
from subscriptions.live import Live


def build_app(
    database: Database,
    verifier: TokenVerifier,
    settings: Settings,
    unready: Callable[[], Awaitable[str | None]],
    more: Sequence[BaseRoute] = (),
    observers: Sequence[Observer] = (),
    live: LiveQueries | None = None,
    fleet: Fleet | None = None,
) -> Starlette:
    """The application on an open database; whoever opened it closes it.

    Args:
        database: what requests read.
        verifier: whom requests come from.
        settings: of this server.
        unready: says why the server cannot serve, None when it can; may raise what a database raises.
        more: routes of this start alone, such as the demo's.
        observers: who is told of each request that has ended, beside the log and the metrics.
        live: what keeps answers true; without it there are no WebSockets.
        fleet: what agents are served by; without it they are not.
    """
    metrics = Metrics(database.pools) if settings.metrics else None
    counted = [metrics.observe] if metrics else []
    observe = _all([RequestRecord.write, *counted, *observers])
    page = GraphiqlPage(demo=settings.demo) if settings.graphiql else None
    tokens = fleet.tokens if fleet else None
    operations = Operations(database, verifier, settings, live.ring if live else unheard, tokens)
    sockets = Sockets(settings)
    if metrics:
        metrics.watch(sockets)
    if metrics and isinstance(live, Live):
        metrics.registry.register(LiveUse(live))
    if metrics and fleet:
        metrics.registry.register(FleetUse(fleet))
    endpoint = live and SocketEndpoint(Host(operations, live, sockets, observe), settings)
    return Starlette(
        routes=[
            Route("/graphql", GraphQLApp(operations, observe, page.show if page else None)),
            *([WebSocketRoute("/graphql", endpoint)] if endpoint else []),
            *Health(unready).routes(),
            *([metrics.route()] if metrics else []),
            *([page.files_route()] if page else []),
            *more,
        ],
        middleware=[*_agents(fleet), *_middleware(settings)],
    )


def _all(observers: Sequence[Observer]) -> Observer:
    def observe(record: RequestRecord) -> None:
        for tell in observers:
            tell(record)

    return observe


def _agents(fleet: Fleet | None) -> list[Middleware]:
    """Ahead of all others: a check-in goes through none of them."""
    return [Middleware(AgentDoor, api=AgentApi(fleet))] if fleet else []


def _middleware(settings: Settings) -> list[Middleware]:
    """Level 1 takes a fifth of level 9's time, and answers of rows become hardly larger for it."""
    compression = Middleware(Compression, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=1)
    if not settings.cors_origins:
        return [compression]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=(
            "Authorization",
            "Content-Type",
            INVITATION_HEADER,
            REQUEST_ID,
            TENANT_HEADER,
            TRACEPARENT,
        ),
        expose_headers=(REQUEST_ID,),
    )
    return [cors, compression]
