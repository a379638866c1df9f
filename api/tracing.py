"""Tracing by OpenTelemetry: an extra, which costs nothing where no collector is named."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from api.graphql import Observer
from core.errors import StartupError
from core.settings import Settings


@contextmanager
def traced(settings: Settings) -> Iterator[Sequence[Observer]]:
    """Who makes spans of requests while this lasts: one observer where there is a collector, else none.

    Raises:
        StartupError: a collector is named, and the packages are missing.
    """
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        yield ()
        return
    try:
        from api.spans import Spans
    except ModuleNotFoundError as error:
        raise StartupError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but {error.name} is not installed: "
            "install requirements-otel.txt, or unset it."
        ) from error
    spans = Spans(endpoint)
    try:
        yield (spans.observe,)
    finally:
        spans.close()
