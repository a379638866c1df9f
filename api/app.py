"""The application: its routes and middleware."""

from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from api.agents.endpoints import AgentApi, AgentApiMiddleware
from api.app_services import AppServices
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
from api.websocket.services import WebSocketServices
from api.websocket.socket_metrics import SocketMetrics
from core.database.transactions import ignore_commit
from core.settings import Settings
from services.agents.agent_service import AgentService
from subscriptions.live_layer import LiveLayer

_GRAPHQL_PATHS: Final = ("/graphql", "/graphql/")


def build_app(
    settings: Settings,
    services: AppServices,
    connections: Connections | None = None,
    metrics: Metrics | None = None,
    observers: Sequence[Observer] = (),
    extra_routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Build the application over its services.

    Args:
        settings: The settings of this server.
        services: The services that the endpoints call.
        connections: The register of the server's connections, for the metrics.
        metrics: The metrics, if the caller needs them, too.
        observers: Called with the record of each finished request, in addition to the log and the metrics.
        extra_routes: Additional routes of this start, such as the demo's.
    """
    shutdown = connections.shutdown if connections else Shutdown()
    if metrics is None and settings.metrics:
        metrics = Metrics(services.database.pools, MetricsAccess(settings))
    metrics_observers = [metrics.observe] if metrics else []
    observe = _combine_observers([RequestRecord.write_log, *metrics_observers, *observers])
    page = GraphiqlPage(demo=settings.demo) if settings.graphiql else None
    wake = services.live.wake if services.live else ignore_commit
    operations = _build_graphql_service(settings, services, wake)
    sockets = SocketRegistry(settings)
    if metrics:
        metrics.watch_documents(operations.documents)
        _register_metrics(metrics.registry, services, sockets, connections)
    live = services.live
    endpoint = live and SocketEndpoint(WebSocketServices(operations, live, sockets, observe), settings)
    graphql = GraphQLEndpoint(operations, observe, page.serve_page if page else None, shutdown)
    describe = services.status.describe if services.status else dict
    app = Starlette(
        routes=[
            *(Route(path, graphql) for path in _GRAPHQL_PATHS),
            *(WebSocketRoute(path, endpoint) for path in _GRAPHQL_PATHS if endpoint),
            *HealthEndpoints(services.find_problem, shutdown, describe).build_routes(),
            build_icons_route(),
            *build_clerk_routes(services.database, settings, wake),
            *([metrics.build_route()] if metrics else []),
            *([page.build_files_route()] if page else []),
            *extra_routes,
        ],
        middleware=[
            *_build_metrics_middleware(metrics),
            *_build_agent_middleware(services.fleet, shutdown),
            *build_middleware(settings),
        ],
    )
    app.router.redirect_slashes = False  # Starlette would redirect to the host that the request names
    return app


def _build_graphql_service(
    settings: Settings, services: AppServices, wake: Callable[[], None]
) -> GraphQLService:
    return GraphQLService(
        services.database,
        services.verifier,
        settings,
        wake,
        services.fleet.tokens if services.fleet else None,
        services.activity,
        services.live.transactions if services.live else None,
        services.statistics,
    )


def _register_metrics(
    registry: CollectorRegistry,
    services: AppServices,
    sockets: SocketRegistry,
    connections: Connections | None,
) -> None:
    """Export the metrics of the services that this application has."""
    registry.register(SocketMetrics(sockets))
    if isinstance(services.live, LiveLayer):
        registry.register(LiveMetrics(services.live))
    if services.fleet:
        registry.register(AgentMetrics(services.fleet))
    if connections:
        registry.register(ConnectionUse(connections))
    if services.status:
        registry.register(DatabaseMetrics(services.status, services.database))


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
