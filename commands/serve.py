"""The command that serves: it connects the database, keys, live layer, fleet, routes and HTTP server."""

import asyncio
import socket
from argparse import Namespace
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, Final, NamedTuple

import structlog
from starlette.routing import Route

from api.app import build_app
from api.app_services import AppServices
from api.connection_limits import ConnectionLimits
from api.demo_issuer import DemoIssuer
from api.demo_page import build_demo_routes
from api.http_connections import Connections
from api.observability.access_log import Observer
from api.observability.job_metrics import JobMetrics
from api.observability.metrics import Metrics
from api.observability.metrics_access import MetricsAccess
from api.observability.process_metrics import LoopLag, ProcessMetrics
from api.observability.tracing import open_tracing
from api.server import HttpServer, bind_socket, build_url
from api.shutdown import Shutdown
from commands.async_runner import print_lines, run_to_end, run_until_shutdown
from commands.demo_data import ensure_demo_data, require_demo_database, require_no_issuer
from commands.job_workers import run_jobs_in_server
from commands.supervisor import Supervisor
from commands.tokens import load_signing_key
from commands.worker import Worker
from core.auth.agent_tokens import AgentTokens
from core.auth.issuer import IssuerConfig
from core.auth.sealing import TokenSealer
from core.auth.signing import SigningKey, issue_platform_token
from core.auth.tokens import TokenVerifier
from core.database.database import Database
from core.encryption import SecretKeys
from core.gc_tuning import freeze_long_lived_objects
from core.settings import Settings
from core.version import VERSION
from demo import DemoViewer
from resolvers.loaders.bindings import build_executable_schema
from services.agents.agent_service import AgentService
from services.database_status import DatabaseStatus
from services.jobs.status import QueueStatus, watch_queue
from services.retention.daily_purge import purge_daily
from services.retention.log_retention import LogRetention
from services.retention.status import RetentionStatus, watch_status
from services.startup import (
    close_database,
    connect_database,
    locate_database,
    migrate_database,
)
from services.table_statistics import TableStatistics, watch_statistics
from services.users.last_activity import LastActivity
from subscriptions.live_layer import LiveLayer

_log: Final = structlog.get_logger("server")


def run(settings: Settings, _arguments: Namespace) -> int:
    """Serve until a signal; returns the exit status."""
    return serve(settings)


def serve(settings: Settings, limits: ConnectionLimits | None = None) -> int:
    """Serve until a signal; returns the exit status. Quick checks that may refuse the start come first.

    Args:
        settings: The settings of this server.
        limits: The limits of its connections, if they are to differ from those of `core.limits`.
    """
    if settings.demo:
        require_no_issuer(settings)
    else:
        IssuerConfig.from_settings(settings)
    connections = Connections(limits, Shutdown(settings.shutdown_delay, settings.shutdown_grace))
    with (
        bind_socket(settings.host, settings.port) as listener,
        _bind_metrics(settings) as metrics_listener,
        locate_database(settings) as dsn,
    ):
        listeners = Listeners(listener, metrics_listener)
        _log_start(settings, listeners)
        demo = _load_demo(settings, dsn) if settings.demo else None
        if settings.workers > 1:
            return _serve_by_workers(settings, listeners, dsn, demo, connections)
        with open_tracing(settings) as observers:
            serving = _serve(settings, listeners, dsn, demo, observers, connections)
            run_to_end(run_until_shutdown(serving, connections.shutdown))
    return 0


class Listeners(NamedTuple):
    """The listening sockets of the API and, if they have a port of their own, of the metrics."""

    api: socket.socket
    metrics: socket.socket | None

    def close(self) -> None:
        """Close them in this process."""
        for listener in self:
            if listener is not None:
                listener.close()


def _bind_metrics(settings: Settings) -> AbstractContextManager[socket.socket | None]:
    if not settings.metrics or settings.metrics_port is None:
        return nullcontext()
    return bind_socket(settings.metrics_host, settings.metrics_port)


def _log_start(settings: Settings, listeners: Listeners) -> None:
    """Write the one line of each start: what runs, and which settings are set, without their values."""
    _log.info(
        "starting",
        version=VERSION,
        mode="demo" if settings.demo else "production",
        workers=settings.workers,
        address=build_url(listeners.api),
        metrics=build_url(listeners.metrics) if listeners.metrics else None,
        settings=sorted(name.upper() for name in settings.model_fields_set),
    )


def _load_demo(settings: Settings, dsn: str) -> DemoIssuer:
    """The demo's issuer. A refused demo leaves no key behind, which would make a demo of the data directory."""
    run_to_end(require_demo_database(dsn))
    return DemoIssuer.load(settings.data_dir)


def _serve_by_workers(
    settings: Settings, listeners: Listeners, dsn: str, demo: DemoIssuer | None, connections: Connections
) -> int:
    """Prepare the database once, and let workers serve; returns the exit status."""
    viewers = run_to_end(_prepare(settings, dsn, demo))
    build_executable_schema()  # once, before the forks
    sealer = TokenSealer.load(settings)  # the same in all workers, also without a signing key

    def run(worker: Worker) -> None:
        with open_tracing(settings) as observers:
            serving = _serve(settings, listeners, dsn, demo, observers, connections, worker, viewers, sealer)
            run_to_end(run_until_shutdown(serving, connections.shutdown))

    stop_s = settings.shutdown_delay + settings.shutdown_grace
    lines = _start_lines(settings, listeners.api, demo, viewers)
    supervisor = Supervisor(settings.workers, run, lambda: print_lines(*lines), stop_s)
    return supervisor.supervise(listeners.close)


async def _prepare(settings: Settings, dsn: str, demo: DemoIssuer | None) -> Sequence[DemoViewer]:
    """Migrate the database and load the demo; returns the demo's viewers."""
    if demo is None and not settings.oidc_audiences and not settings.oidc_authorized_parties:
        _log.warning(
            "tokens of any client are accepted", issuer=settings.oidc_issuer, setting="OIDC_ANY_CLIENT"
        )
    await migrate_database(dsn, settings)
    return await ensure_demo_data(dsn, SecretKeys.load(settings)) if demo else ()


async def _serve(
    settings: Settings,
    listeners: Listeners,
    dsn: str,
    demo: DemoIssuer | None,
    observers: Sequence[Observer],
    connections: Connections,
    worker: Worker | None = None,
    viewers: Sequence[DemoViewer] = (),
    sealer: TokenSealer | None = None,
) -> None:
    """Serve until a signal.

    A worker's database is prepared already, and `viewers` are those of its demo. All workers have one `sealer`.
    """
    host, port = listeners.api.getsockname()[:2]
    issuer = demo.build_config(host, port) if demo else IssuerConfig.from_settings(settings)
    key = SigningKey.load(settings)
    verifier, tokens = TokenVerifier(issuer, key), AgentTokens(key, SigningKey.load_former(settings))
    lines: list[str] = []
    if worker is None:
        viewers = await _prepare(settings, dsn, demo)
        lines = _start_lines(settings, listeners.api, demo, viewers)
    database = await connect_database(dsn, settings)
    try:
        database_status = await DatabaseStatus.open(database, dsn, settings)
        routes: list[Route] = []
        if demo:
            routes = [demo.build_route(), *build_demo_routes(demo, viewers)]
        else:  # the demo's issuer has no keys to fetch before this server listens
            verifier.prefetch_keys()
        metrics = _open_metrics(settings, database, listeners, worker)
        lag, status, queue = LoopLag(), RetentionStatus(), QueueStatus()
        activity, statistics = LastActivity(database), TableStatistics()
        async with (
            open_live_layer(database, settings, sealer) as live,
            AgentService.open(database, tokens, settings, live.wake) as fleet,
            run_jobs_in_server(database, settings, live, connections.shutdown) as jobs,
            _run_in_background(purge_daily(database, LogRetention.from_settings(settings))),
            _run_in_background(lag.watch()),
            _run_in_background(watch_status(database, status)),
            _run_in_background(watch_queue(database, queue)),
            _run_in_background(watch_statistics(database, statistics)),
            _share_metrics(metrics, worker),
            _run_in_background(activity.run()),
        ):
            if metrics:
                metrics.registry.register(ProcessMetrics(database.pools, verifier, lag, status))
            if metrics and jobs:
                metrics.registry.register(JobMetrics(jobs, queue))
            services = AppServices(
                database=database,
                verifier=verifier,
                find_problem=database_status.find_problem,
                live=live,
                fleet=fleet,
                status=database_status,
                activity=activity,
                statistics=statistics,
            )
            app = build_app(settings, services, connections, metrics, observers, routes)
            freeze_long_lived_objects()  # the schema has 90,000 objects: 25 ms for requests per collection
            ready = worker.report_ready if worker else lambda: print_lines(*lines)
            server = HttpServer(
                app, listeners.api, ready, connections, settings.trusted_proxies, listeners.metrics
            )
            if worker:
                asyncio.get_running_loop().add_reader(worker.lifeline, server.stop_orphaned, worker.lifeline)
            await server.serve_until_signal()
    finally:
        await verifier.close()
        await close_database(database)


def _open_metrics(
    settings: Settings, database: Database, listeners: Listeners, worker: Worker | None
) -> Metrics | None:
    if not settings.metrics:
        return None
    port = listeners.metrics.getsockname()[1] if listeners.metrics else None
    return Metrics(database.pools, MetricsAccess(settings, port), worker.metrics if worker else None)


@asynccontextmanager
async def _run_in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run the work in the background during the block, and cancel it at the end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def _share_metrics(metrics: Metrics | None, worker: Worker | None) -> AsyncIterator[None]:
    """Let the other workers read the metrics of this one during the block."""
    if metrics is None or worker is None:
        yield
        return
    async with await worker.metrics.serve(metrics.render):
        yield


@asynccontextmanager
async def open_live_layer(
    database: Database, settings: Settings, sealer: TokenSealer | None = None
) -> AsyncIterator[LiveLayer]:
    """The live layer over this database, for the duration of the block."""
    live = await LiveLayer.open(database, settings, sealer)
    try:
        yield live
    finally:
        await live.close()


def _start_lines(
    settings: Settings, listener: socket.socket, demo: DemoIssuer | None, viewers: Sequence[DemoViewer]
) -> list[str]:
    """What to print once requests are accepted: the address, and each token of a demo with its label."""
    lines = [f"Serving on {build_url(listener)}/graphql"]
    if demo is None:
        return lines
    tokens = [f"{viewer.label}: {demo.issue(viewer.user_id)}" for viewer in viewers]
    return [*lines, *tokens, f"Platform: {issue_platform_token(load_signing_key(settings))}"]
