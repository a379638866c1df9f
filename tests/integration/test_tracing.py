"""Spans over OTLP/HTTP, from the whole application to a real receiver."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from api.observability.spans import UNNAMED
from tests.http_harness import open_http_harness

pytestmark = pytest.mark.newest

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(autouse=True)
def _long_flush_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use long timeouts, so that nothing is lost on a busy machine."""
    monkeypatch.setattr("api.observability.spans.FLUSH_TIMEOUT_S", 30)


@dataclass
class Collector:
    """The received spans."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def received(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    @property
    def spans(self) -> list[Span]:
        scopes = (scope for r in self.received for of in r.resource_spans for scope in of.scope_spans)
        return [span for scope in scopes for span in scope.spans]

    @property
    def services(self) -> set[str]:
        resources = (of.resource for r in self.received for of in r.resource_spans)
        return {a.value.string_value for r in resources for a in r.attributes if a.key == "service.name"}


@contextmanager
def run_collector() -> Iterator[Collector]:
    """A receiver of OTLP/HTTP on a free port of loopback."""
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.paths.append(self.path)
            kept.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()


def _decode_value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    assert kind is not None
    return (
        [_decode_value(v) for v in value.array_value.values]
        if kind == "array_value"
        else getattr(value, kind)
    )


def _read_attributes(span: Span) -> dict[str, Any]:
    return {a.key: _decode_value(a.value) for a in span.attributes}


async def test_request_is_exported_as_a_span(demo_database_url: str) -> None:
    with run_collector() as received:
        async with open_http_harness(
            demo_database_url, otel_exporter_otlp_endpoint=f"{received.url}/"
        ) as traced:
            answer = await traced.post_query(
                "query Sites($n: Int) { sites(first: $n) { nodes { id } } }", variables={"n": 2}
            )
    (span,) = received.spans
    assert received.paths == ["/v1/traces"]
    assert received.services == {"msp-graphql"}
    assert (span.name, span.kind, span.parent_span_id) == ("Sites", Span.SPAN_KIND_SERVER, b"")
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 30e9
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert _read_attributes(span) == {
        "graphql.operation.name": "Sites",
        "http.response.status_code": 200,
        "msp.request_id": answer.headers["X-Request-Id"],
        "msp.viewer": "user",
        "msp.outcome": "ok",
        "msp.way": "compiled",
        "msp.statements": 1,
        "msp.rows": 1,
        "msp.error_codes": [],
    }


async def test_request_with_traceparent_is_a_child_span(demo_database_url: str) -> None:
    with run_collector() as received:
        async with open_http_harness(demo_database_url, otel_exporter_otlp_endpoint=received.url) as traced:
            for parent in (f"00-{TRACE}-{CALLER}-01", "nonsense", f"00-{TRACE}-{CALLER}-00"):
                headers = traced.build_headers(traceparent=parent)
                await traced.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    child, root = received.spans  # the third's caller does not record its trace, and so the server does not
    assert (child.trace_id.hex(), child.parent_span_id.hex()) == (TRACE, CALLER)
    assert root.trace_id.hex() != TRACE
    assert root.parent_span_id == b""


async def test_request_with_errors_exports_their_codes(
    demo_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_collector() as received:
        async with open_http_harness(demo_database_url, otel_exporter_otlp_endpoint=received.url) as traced:
            await traced.post_query("query Mine { nothing }")
            await traced.client.post("/graphql", json={"query": "query Mine { viewer { kind } }"})
            monkeypatch.setattr("api.graphql_service.sign_in", None)
            await traced.post_query("query Broken { viewer { kind } }")
    refused, stranger, failed = received.spans
    assert _read_attributes(refused)["msp.error_codes"] == ["BAD_USER_INPUT"]
    assert _read_attributes(refused)["msp.outcome"] == "refused"
    assert _read_attributes(stranger)["msp.viewer"] == "anonymous"
    assert stranger.name == UNNAMED
    assert _read_attributes(failed)["msp.error_codes"] == ["INTERNAL"]
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert failed.status.message == ""


async def test_span_contains_no_token_or_variables(demo_database_url: str) -> None:
    with run_collector() as received:
        async with open_http_harness(demo_database_url, otel_exporter_otlp_endpoint=received.url) as traced:
            headers = traced.build_headers()
            query = "query Find($id: ID!) { site(id: $id) { id } }"
            sent_body = {"query": query, "variables": {"id": "hunter2"}}
            await traced.client.post("/graphql", json=sent_body, headers=headers)
    body = b"".join(received.bodies)
    assert b"Find" in body
    assert b"hunter2" not in body
    assert headers["Authorization"].split()[1].encode() not in body


async def test_span_service_name_is_taken_from_the_environment(
    demo_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "msp-eu")
    with run_collector() as received:
        async with open_http_harness(demo_database_url, otel_exporter_otlp_endpoint=received.url) as traced:
            await traced.post_query("{ __typename }")
    assert received.services == {"msp-eu"}
