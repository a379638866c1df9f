"""The application: its routes and middleware."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from api.agents.endpoints import AgentApi, AgentApiMiddleware
from api.clerk_webhook import build_clerk_routes
from api.graphiql_page import GraphiqlPage
from api.graphql_endpoint import GraphQLEndpoint
from api.graphql_service import GraphQLService
from api.health import HealthEndpoints
from api.http_connections import Connections
from api.icons import build_icons_route
from api.middleware import build_middleware
from api.observability.access_log import Observer, RequestRecord
from api.observability.agent_metrics import AgentMetrics
from api.observability.connection_metrics import ConnectionUse
from api.observability.database_metrics import DatabaseMetrics
from api.observability.live_metrics import LiveMetrics
from api.observability.metrics import Metrics
from api.observability.metrics_access import MetricsAccess, MetricsPortMiddleware
from api.shutdown import Shutdown
from api.websocket.endpoint import SocketEndpoint
from api.websocket.registry import SocketRegistry
from api.websocket.services import LiveQueries, WebSocketServices
from api.websocket.socket_metrics import SocketMetrics
from core.auth.tokens import TokenVerifier
from core.database.database import Database
from core.database.transactions import ignore_commit
from core.settings import Settings
from services.agents.agent_service import AgentService
from services.database_status import DatabaseStatus
from services.table_statistics import TableStatistics
from services.users.last_activity import LastActivity
from subscriptions.live_layer import LiveLayer

_GRAPHQL_PATHS: Final = ("/graphql", "/graphql/")


def build_app(
    database: Database,
    verifier: TokenVerifier,
    settings: Settings,
    unready: Callable[[], Awaitable[str | None]],
    extra_routes: Sequence[BaseRoute] = (),
    observers: Sequence[Observer] = (),
    live: LiveQueries | None = None,
    fleet: AgentService | None = None,
    connections: Connections | None = None,
    metrics: Metrics | None = None,
    status: DatabaseStatus | None = None,
    activity: LastActivity | None = None,
    statistics: TableStatistics | None = None,
) -> Starlette:
    """Build the application on an open database. The caller closes the database.

    Args:
        database: The database of requests.
        verifier: Verifies the tokens of requests.
        settings: The settings of this server.
        unready: Returns why the server cannot serve, None if it can; may raise any database error.
        extra_routes: Additional routes of this start, such as the demo's.
        observers: Called with the record of each finished request, in addition to the log and the metrics.
        live: The live layer; without it there are no WebSockets.
        fleet: The services of agents; without it there is no agents' API.
        connections: The register of the server's connections, for the metrics.
        metrics: The metrics, if the caller needs them, too.
        status: The state of the database, for `/readyz` and the metrics.
        activity: Notes which users are active; without it their `lastActivityAt` is not kept.
        statistics: The sizes of the tables, for the cost of operations; without it every table counts as empty.
    """
    shutdown = connections.shutdown if connections else Shutdown()
    if metrics is None and settings.metrics:
        metrics = Metrics(database.pools, MetricsAccess(settings))
    metrics_observers = [metrics.observe] if metrics else []
    observe = _combine_observers([RequestRecord.write_log, *metrics_observers, *observers])
    page = GraphiqlPage(demo=settings.demo) if settings.graphiql else None
    tokens = fleet.tokens if fleet else None
    wake = live.wake if live else ignore_commit
    transactions = live.transactions if live else None
    operations = GraphQLService(
        database, verifier, settings, wake, tokens, activity, transactions, statistics
    )
    sockets = SocketRegistry(settings)
    if metrics:
        metrics.registry.register(SocketMetrics(sockets))
        metrics.watch_documents(operations.documents)
    if metrics and isinstance(live, LiveLayer):
        metrics.registry.register(LiveMetrics(live))
    if metrics and fleet:
        metrics.registry.register(AgentMetrics(fleet))
    if metrics and connections:
        metrics.registry.register(ConnectionUse(connections))
    if metrics and status:
        metrics.registry.register(DatabaseMetrics(status, database))
    endpoint = live and SocketEndpoint(WebSocketServices(operations, live, sockets, observe), settings)
    graphql = GraphQLEndpoint(operations, observe, page.serve_page if page else None, shutdown)
    app = Starlette(
        routes=[
            *(Route(path, graphql) for path in _GRAPHQL_PATHS),
            *(WebSocketRoute(path, endpoint) for path in _GRAPHQL_PATHS if endpoint),
            *HealthEndpoints(unready, shutdown, status.describe if status else dict).build_routes(),
            build_icons_route(),
            *build_clerk_routes(database, settings, wake),
            *([metrics.build_route()] if metrics else []),
            *([page.build_files_route()] if page else []),
            *extra_routes,
        ],
        middleware=[
            *_build_metrics_middleware(metrics),
            *_build_agent_middleware(fleet, shutdown),
            *build_middleware(settings),
        ],
    )
    app.router.redirect_slashes = False  # Starlette would redirect to the host that the request names
    return app


def _combine_observers(observers: Sequence[Observer]) -> Observer:
    def observe(record: RequestRecord) -> None:
        for observer in observers:
            observer(record)

    return observe


def _build_agent_middleware(fleet: AgentService | None, shutdown: Shutdown) -> list[Middleware]:
    """The first middleware, so a check-in passes through no other."""
    return [Middleware(AgentApiMiddleware, api=AgentApi(fleet, shutdown))] if fleet else []


def _build_metrics_middleware(metrics: Metrics | None) -> list[Middleware]:
    port = metrics.access.port if metrics else None
    return [] if port is None else [Middleware(MetricsPortMiddleware, port=port)]
