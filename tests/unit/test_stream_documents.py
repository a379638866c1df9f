"""Messages of streams: written directly from the selection, they equal the result of execution."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
import pytest

from core.errors import BadUserInputError
from models.enums import HealthResourceType, HealthStatus
from resolvers.context import RequestContext
from resolvers.documents.cache import DocumentCache
from resolvers.documents.live import find_stream_nodes
from resolvers.documents.streams import StreamOperation
from resolvers.loaders.bindings import build_executable_schema
from tests.operations import validate_text

SCHEMA: Final = build_executable_schema()[1]
DOCUMENTS: Final = DocumentCache(SCHEMA)

CHECKINS: Final = (
    {"agentId": "a1", "siteId": "s1", "checkedInAt": 2**52, "previousCheckinAt": None},
    {"agentId": "a2", "siteId": "s1", "checkedInAt": 7, "previousCheckinAt": 5},
)
CHANGES: Final = (
    {
        "healthCheckId": "h1",
        "resourceType": "data_source",
        "resourceId": "d1",
        "status": "down",
        "previousStatus": "healthy",
        "failureCount": 3,
        "lastCheckAt": 9,
    },
    {
        "healthCheckId": "h2",
        "resourceType": "agent",
        "resourceId": "a1",
        "status": "degraded",
        "previousStatus": None,
        "failureCount": 1,
        "lastCheckAt": 9,
    },
)


def read_stream_document(text: str, variables: Mapping[str, Any] | None = None) -> StreamOperation:
    operation = validate_text(DOCUMENTS, text, variables)
    return StreamOperation(operation, find_stream_nodes(operation) or [])


@pytest.mark.parametrize(
    "text",
    [
        "subscription { agentCheckins { cursor events { agentId siteId checkedInAt previousCheckinAt } } }",
        "subscription { x: agentCheckins { __typename c: cursor e: events { __typename id: agentId } } }",
        "subscription { agentCheckins { cursor } }",
        "subscription { agentCheckins { events { agentId } events { siteId agentId } cursor } }",
        "subscription { agentCheckins { a: events { agentId } b: events { ...F } } }"
        " fragment F on AgentCheckin { ... on AgentCheckin { checkedInAt } }",
        "subscription { agentCheckins { ...F } } fragment F on AgentCheckins { events { agentId } }",
        "subscription ($on: Boolean = false, $off: Boolean! = true) { agentCheckins { cursor @skip(if: $off)"
        " events { agentId siteId @include(if: $on) ... @include(if: $off) { checkedInAt } } } }",
        "subscription { healthCheckChanges { cursor events { healthCheckId resourceType resourceId status"
        " previousStatus failureCount lastCheckAt } } }",
        "subscription { healthCheckChanges { events { now: status was: previousStatus __typename } } }",
    ],
)
async def test_stream_message_plain_equals_execution(text: str) -> None:
    document = read_stream_document(text)
    assert document.plain
    events = CHECKINS if document.stream.field == "agentCheckins" else CHANGES
    for shown in (events, ()):
        executed = await document.execute("the-cursor", shown, RequestContext(None, None))
        assert executed.errors is None
        assert orjson.dumps(document.render_plain("the-cursor", shown)) == orjson.dumps(
            {"data": executed.data}
        )


@pytest.mark.parametrize(
    "text",
    [
        "subscription { agentCheckins { events { agentId agent { hostname } } } }",
        "subscription { agentCheckins { events { ...F } } } fragment F on AgentCheckin { site { name } }",
        "subscription { healthCheckChanges { events { agentId: resourceId healthCheck { id } } } }",
    ],
)
def test_stream_message_without_events_reads_no_rows(text: str) -> None:
    document = read_stream_document(text)
    assert not document.plain
    message = document.render_plain("c", ())["data"][document.stream.field]
    assert message == {"events": []}


async def test_stream_message_without_viewer_has_null_rows_and_errors() -> None:
    document = read_stream_document(
        "subscription { agentCheckins { events { agentId agent { hostname } } } }"
    )
    result = await document.execute("c", CHECKINS[:1], RequestContext(None, None))
    assert result.data == {"agentCheckins": {"events": [{"agentId": "a1", "agent": None}]}}
    assert [error.path for error in result.errors or ()] == [["agentCheckins", "events", 0, "agent"]]


def test_stream_document_arguments_are_coerced() -> None:
    text = """subscription ($t: HealthResourceType) {
        healthCheckChanges(siteId: 5, resourceType: $t, status: DOWN) { cursor } }"""
    arguments = read_stream_document(text, {"t": "DATA_SOURCE"}).arguments
    assert arguments == {
        "siteId": "5",
        "resourceType": HealthResourceType.DATA_SOURCE,
        "status": HealthStatus.DOWN,
    }


@pytest.mark.parametrize("variables", [{}, {"a": "x"}, {"a": [None]}, {"a": {"b": 1}}])
def test_stream_document_variables_are_coerced_or_refused(variables: dict[str, Any]) -> None:
    text = "subscription ($a: [ID!]!) { agentCheckins(agentIds: $a) { cursor } }"
    if variables.get("a") == "x":
        assert read_stream_document(text, variables).arguments == {"agentIds": ["x"]}
    else:
        with pytest.raises(BadUserInputError):
            read_stream_document(text, variables)


def test_stream_document_cursor_variable_is_left_out_of_its_key() -> None:
    text = "subscription ($c: String, $s: ID) { agentCheckins(since: $c, siteId: $s) { cursor } }"
    assert read_stream_document(text, {"c": "abc", "s": "1"}).variables == {"s": "1"}
    text = """subscription ($c: String) { agentCheckins(since: $c) { events {
        site { agents(where: {hostname: {eq: $c}}) { totalCount } } } } }"""
    assert read_stream_document(text, {"c": "abc"}).variables == {"c": "abc"}
