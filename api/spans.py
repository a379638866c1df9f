"""Requests as OpenTelemetry's spans, sent over OTLP/HTTP; only `api.tracing` imports this, where it is wanted."""

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

from api.request_record import Outcome, RequestRecord
from core.limits import OPERATION_NAME_LOGGED_MAX

UNNAMED: Final = "GraphQL Operation"
SERVICE: Final = "msp-graphql"
FLUSH_PATIENCE_S: Final = 0.3
"""A part of the two seconds in which the whole server ends; what the collector has not taken by then is lost."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Spans:
    """One span a request, sent in batches by a thread of its own."""

    def __init__(self, endpoint: str) -> None:
        """Sends to the collector at `endpoint`; all else is as the SDK's own environment variables say."""
        resource = Resource.create({SERVICE_NAME: SERVICE}).merge(OTELResourceDetector().detect())
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(SERVICE)

    def observe(self, record: RequestRecord) -> None:
        """Make the span of a request that has just ended."""
        end_ns = time.time_ns()
        span = self._tracer.start_span(
            _name(record),
            context=_parent(record),
            kind=SpanKind.SERVER,
            attributes=_attributes(record),
            start_time=end_ns - round(record.duration_s * 1e9),
        )
        if record.outcome is Outcome.FAILED:
            span.set_status(StatusCode.ERROR)
        span.end(end_ns)

    def close(self) -> None:
        """Send what is left; blocks for FLUSH_PATIENCE_S seconds at most."""
        flush = Thread(target=self._provider.shutdown, daemon=True)
        flush.start()
        flush.join(FLUSH_PATIENCE_S)


def _name(record: RequestRecord) -> str:
    """Collectors index names: callers whom we do not know make none."""
    named = record.viewer and record.operation and record.operation[:OPERATION_NAME_LOGGED_MAX]
    return named or UNNAMED


def _parent(record: RequestRecord) -> Context:
    return _PROPAGATOR.extract({"traceparent": record.traceparent or ""}, Context())


def _attributes(record: RequestRecord) -> dict[str, AttributeValue]:
    known: dict[str, AttributeValue | None] = {
        "graphql.operation.name": record.operation and record.operation[:OPERATION_NAME_LOGGED_MAX],
        "http.response.status_code": record.status,
        "msp.request_id": record.request_id,
        "msp.viewer": record.viewer.kind.value if record.viewer else "anonymous",
        "msp.outcome": record.outcome.value,
        "msp.way": record.way,
        "msp.statements": record.statements,
        "msp.rows": record.rows,
        "msp.error_codes": record.codes,
    }
    return {name: value for name, value in known.items() if value is not None}
