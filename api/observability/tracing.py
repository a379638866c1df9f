"""Tracing by OpenTelemetry, an optional extra. It costs nothing if no collector is configured."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from api.observability.access_log import Observer
from core.errors import StartupError
from core.settings import Settings


@contextmanager
def open_tracing(settings: Settings) -> Iterator[Sequence[Observer]]:
    """Observers that create spans of requests during the block: one if a collector is configured, else none.

    Raises:
        StartupError: A collector is configured, but the packages are missing.
    """
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        yield ()
        return
    try:
        from api.observability.spans import SpanExporter
    except ModuleNotFoundError as error:
        raise StartupError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but {error.name} is not installed: "
            "install requirements-otel.txt, or unset it."
        ) from error
    spans = SpanExporter(endpoint)
    try:
        yield (spans.observe,)
    finally:
        spans.close()
