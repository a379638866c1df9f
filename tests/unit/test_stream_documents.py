"""Messages of streams: written from the selection alone, they are what executing them gives."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
import pytest

from core.errors import BadUserInputError
from models.enums import HealthResourceType, HealthStatus
from resolvers.binding import bound_schema
from resolvers.documents import Documents
from resolvers.operation import Operation
from resolvers.stream_documents import StreamDocument

SCHEMA: Final = bound_schema()[1]
DOCUMENTS: Final = Documents(SCHEMA)

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


def read(text: str, variables: Mapping[str, Any] | None = None) -> StreamDocument:
    document = DOCUMENTS.get(text)
    assert not document.errors, document.errors
    return StreamDocument(SCHEMA, document, document.operations[0], variables or {})


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
async def test_a_plain_message_is_what_execution_gives(text: str) -> None:
    document = read(text)
    assert document.plain
    events = CHECKINS if document.stream.field == "agentCheckins" else CHANGES
    for shown in (events, ()):
        executed = await document.execute("the-cursor", shown, Operation(None, None))
        assert executed.errors is None
        assert orjson.dumps(document.text("the-cursor", shown)) == orjson.dumps({"data": executed.data})


@pytest.mark.parametrize(
    "text",
    [
        "subscription { agentCheckins { events { agentId agent { hostname } } } }",
        "subscription { agentCheckins { events { ...F } } } fragment F on AgentCheckin { site { name } }",
        "subscription { healthCheckChanges { events { agentId: resourceId healthCheck { id } } } }",
    ],
)
def test_rows_are_to_be_read_only_where_there_are_events(text: str) -> None:
    document = read(text)
    assert not document.plain
    message = document.text("c", ())["data"][document.stream.field]
    assert message == {"events": []}


async def test_who_is_not_signed_in_has_no_rows() -> None:
    document = read("subscription { agentCheckins { events { agentId agent { hostname } } } }")
    result = await document.execute("c", CHECKINS[:1], Operation(None, None))
    assert result.data == {"agentCheckins": {"events": [{"agentId": "a1", "agent": None}]}}
    assert [error.path for error in result.errors or ()] == [["agentCheckins", "events", 0, "agent"]]


def test_arguments_are_read() -> None:
    text = """subscription ($t: HealthResourceType) {
        healthCheckChanges(siteId: 5, resourceType: $t, status: DOWN) { cursor } }"""
    asked = read(text, {"t": "DATA_SOURCE"}).arguments
    assert asked == {
        "siteId": "5",
        "resourceType": HealthResourceType.DATA_SOURCE,
        "status": HealthStatus.DOWN,
    }


@pytest.mark.parametrize("variables", [{}, {"a": "x"}, {"a": [None]}, {"a": {"b": 1}}])
def test_variables_that_do_not_fit_are_refused(variables: dict[str, Any]) -> None:
    text = "subscription ($a: [ID!]!) { agentCheckins(agentIds: $a) { cursor } }"
    if variables.get("a") == "x":
        assert read(text, variables).arguments == {"agentIds": ["x"]}
    else:
        with pytest.raises(BadUserInputError):
            read(text, variables)


def test_a_variable_that_only_says_where_to_begin_tells_no_streams_apart() -> None:
    text = "subscription ($c: String, $s: ID) { agentCheckins(since: $c, siteId: $s) { cursor } }"
    assert read(text, {"c": "abc", "s": "1"}).variables == {"s": "1"}
    text = """subscription ($c: String) { agentCheckins(since: $c) { events {
        site { agents(where: {hostname: {eq: $c}}) { totalCount } } } } }"""
    assert read(text, {"c": "abc"}).variables == {"c": "abc"}
