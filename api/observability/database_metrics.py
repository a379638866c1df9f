"""Prometheus metrics of the database: the mode of row-level security, activity, and dropped connections."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from core.database.database import Database
from core.database.request_role import RoleMode
from services.database_status import DatabaseStatus


class DatabaseMetrics(Collector):
    """The state of the database at the last readiness check."""

    def __init__(self, status: DatabaseStatus, database: Database) -> None:
        self._status = status
        self._database = database

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The mode, activity, and connections that did not answer."""
        mode = GaugeMetricFamily(
            "msp_row_security_mode", "The mode of row-level security: 1 for the one in force", labels=["mode"]
        )
        for each in RoleMode:
            mode.add_metric([each.value], each is self._status.mode)
        yield mode
        yield GaugeMetricFamily(
            "msp_active",
            "1 if jobs, schedules and webhooks run, 0 in a paused copy",
            value=self._status.is_active,
        )
        yield CounterMetricFamily(
            "msp_database_deadlines",
            "Connections that were dropped because PostgreSQL did not answer",
            value=self._database.deadlines_expired,
        )
