"""Requests as OpenTelemetry spans, sent over OTLP/HTTP.

Only `api.observability.tracing` imports this module, on demand.
"""

import time
from threading import Thread
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from api.observability.access_log import RequestOutcome, RequestRecord
from core.limits import OPERATION_NAME_LOGGED_MAX

UNNAMED: Final = "GraphQL Operation"
SERVICE: Final = "msp-graphql"
FLUSH_TIMEOUT_S: Final = 0.3
"""A part of the two seconds for the shutdown of the server. Spans that the collector has not accepted by then are
lost."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()


class SpanExporter:
    """One span per request, sent in batches by a thread."""

    def __init__(self, endpoint: str) -> None:
        """Sends to the collector at `endpoint`; the SDK's own environment variables set everything else."""
        resource = Resource.create({SERVICE_NAME: SERVICE}).merge(OTELResourceDetector().detect())
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(SERVICE)

    def observe(self, record: RequestRecord) -> None:
        """Create the span of a finished request."""
        end_ns = time.time_ns()
        span = self._tracer.start_span(
            _build_span_name(record),
            context=_read_parent_context(record),
            kind=SpanKind.SERVER,
            attributes=_build_span_attributes(record),
            start_time=end_ns - round(record.duration_s * 1e9),
        )
        if record.outcome is RequestOutcome.FAILED:
            span.set_status(StatusCode.ERROR)
        span.end(end_ns)

    def close(self) -> None:
        """Send the remaining spans; blocks for FLUSH_PATIENCE_S seconds at most."""
        flush = Thread(target=self._provider.shutdown, daemon=True)
        flush.start()
        flush.join(FLUSH_TIMEOUT_S)


def _build_span_name(record: RequestRecord) -> str:
    """The span's name. Collectors index names, so unknown callers do not add any."""
    operation = record.viewer and record.operation and record.operation[:OPERATION_NAME_LOGGED_MAX]
    return operation or UNNAMED


def _read_parent_context(record: RequestRecord) -> Context:
    return _PROPAGATOR.extract({"traceparent": record.traceparent or ""}, Context())


def _build_span_attributes(record: RequestRecord) -> dict[str, AttributeValue]:
    known: dict[str, AttributeValue | None] = {
        "graphql.operation.name": record.operation and record.operation[:OPERATION_NAME_LOGGED_MAX],
        "http.response.status_code": record.status,
        "msp.request_id": record.request_id,
        "msp.viewer": record.viewer.kind.value if record.viewer else "anonymous",
        "msp.outcome": record.outcome.value,
        "msp.way": record.strategy,
        "msp.statements": record.statements,
        "msp.rows": record.rows,
        "msp.error_codes": record.codes,
    }
    return {name: value for name, value in known.items() if value is not None}
