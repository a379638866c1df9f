"""graphql-transport-ws: each rule of its document, and whatever else a client may send."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.limits import SOCKET_ID_CHARS_MAX
from resolvers.execution import Request
from subscriptions.socket.messages import (
    REASON_MAX_BYTES,
    TAIL,
    Close,
    Init,
    Ping,
    Pong,
    Stop,
    Subscribe,
    close,
    complete_message,
    error_message,
    next_head,
    pong_message,
    read,
)
from subscriptions.socket.protocol import Connection, Phase

QUERY = {"query": "{ __typename }"}
NO_ID: Any = object()


def _ready() -> Connection:
    connection = Connection()
    connection.hear('{"type":"connection_init"}')
    connection.acknowledge()
    return connection


def _subscribe(id_: Any = "1", payload: Any = QUERY) -> str:
    named = {} if id_ is NO_ID else {"id": id_}
    return json.dumps({**named, "type": "subscribe", "payload": payload})


def _code(heard: object) -> int | None:
    return int(heard.code) if isinstance(heard, Close) else None


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b'{"type":"ping"}', "A message is a text frame, not a binary one"),
        ("", "The message is not JSON: "),
        ("{", "The message is not JSON: "),
        ('{"type":"ping"} {}', "The message is not JSON: "),
        ("[" * 5_000 + "]" * 5_000, "The message is not JSON: "),
        ('{"type": NaN}', "The message is not JSON: "),
        ('"ping"', "A message is a JSON object, not a text"),
        ("[]", "A message is a JSON object, not an array"),
        ("null", "A message is a JSON object, not null"),
        ("true", "A message is a JSON object, not a boolean"),
        ("1.5", "A message is a JSON object, not a number"),
        ("{}", "The message has no type"),
        ('{"type":null}', "type must be a text, not null"),
        ('{"type":["ping"]}', "type must be a text, not an array"),
        ('{"type":""}', "There is no message type ''"),
        ('{"type":"start","id":"1"}', "There is no message type 'start'"),
        ('{"type":"Ping"}', "There is no message type 'Ping'"),
        ('{"type":"next","id":"1","payload":{}}', "next is the server's to send"),
        ('{"type":"error","id":"1","payload":[]}', "error is the server's to send"),
        ('{"type":"connection_ack"}', "connection_ack is the server's to send"),
        ('{"type":"connection_init","payload":[]}', "payload must be an object or null, not an array"),
        ('{"type":"connection_init","payload":"a"}', "payload must be an object or null, not a text"),
        ('{"type":"ping","payload":1}', "payload must be an object or null, not a number"),
        ('{"type":"pong","payload":false}', "payload must be an object or null, not a boolean"),
        (_subscribe(NO_ID), "subscribe has no id"),
        (_subscribe(None), "id must be a text, not null"),
        (_subscribe(1), "id must be a text, not a number"),
        (_subscribe(""), "id must not be empty"),
        (_subscribe("i" * 129), "id has 129 characters; the limit is 128"),
        ('{"type":"complete"}', "complete has no id"),
        ('{"type":"complete","id":{}}', "id must be a text, not an object"),
        ('{"type":"complete","id":""}', "id must not be empty"),
        ('{"type":"subscribe","id":"1"}', "payload must be an object, not null"),
        (_subscribe(payload=[]), "payload must be an object, not an array"),
        (_subscribe(payload={}), "payload.query must be a text, not null"),
        (_subscribe(payload={"query": {}}), "payload.query must be a text, not an object"),
        (_subscribe(payload={**QUERY, "variables": []}), "payload.variables must be an object or null, "),
        (_subscribe(payload={**QUERY, "operationName": 1}), "payload.operationName must be a text or null, "),
        (_subscribe(payload={**QUERY, "extensions": "a"}), "payload.extensions must be an object or null, "),
    ],
)
@pytest.mark.parametrize("phase", [Phase.NEW, Phase.READY])
def test_what_is_no_message_closes_with_4400_and_says_why(
    frame: str | bytes, reason: str, phase: Phase
) -> None:
    connection = Connection() if phase is Phase.NEW else _ready()
    heard = connection.hear(frame)
    assert isinstance(heard, Close)
    assert heard.code == 4400
    assert heard.reason.startswith(reason)
    assert connection.phase is Phase.CLOSED


@pytest.mark.parametrize("payload", ["", ',"payload":null', ',"payload":{}'])
def test_payloads_may_be_null_or_left_out(payload: str) -> None:
    assert read(f'{{"type":"connection_init"{payload}}}') == Init({})
    assert read(f'{{"type":"pong"{payload}}}') == Pong()
    assert isinstance(read(f'{{"type":"ping"{payload}}}'), Ping)


def test_a_request_with_nulls_and_one_with_all() -> None:
    nulls = {**QUERY, "variables": None, "operationName": None, "extensions": None}
    assert read(_subscribe(payload=nulls)) == Subscribe("1", Request("{ __typename }", {}, None, {}))
    full = {
        "query": "query A { a }",
        "variables": {"n": 1},
        "operationName": "A",
        "extensions": {"cost": True},
    }
    assert read(_subscribe("ä", full)) == Subscribe(
        "ä", Request("query A { a }", {"n": 1}, "A", {"cost": True})
    )


def test_more_members_than_the_protocol_names_are_not_looked_at() -> None:
    assert read('{"type":"complete","id":"1","more":[1]}') == Stop("1")


def test_what_comes_first_is_acknowledged_once() -> None:
    connection = Connection()
    assert connection.hear('{"type":"connection_init","payload":{"a":1}}') == Init({"a": 1})
    assert connection.phase is Phase.INITIALISING
    connection.acknowledge()
    assert connection.phase is Phase.READY


@pytest.mark.parametrize("inits", [0, 1])
def test_a_subscribe_ahead_of_the_acknowledgement_closes_with_4401(inits: int) -> None:
    connection = Connection()
    for _ in range(inits):
        connection.hear('{"type":"connection_init"}')
    assert connection.hear(_subscribe()) == Close(4401, "Unauthorized")


@pytest.mark.parametrize("connection", [Connection(), _ready()], ids=["before", "after"])
def test_a_second_init_closes_with_4429(connection: Connection) -> None:
    connection.hear('{"type":"connection_init"}')
    if connection.phase is not Phase.CLOSED:
        assert _code(connection.hear('{"type":"connection_init"}')) == 4429
    assert connection.phase is Phase.CLOSED


def test_an_id_that_is_in_use_closes_with_4409() -> None:
    connection = _ready()
    assert isinstance(connection.hear(_subscribe("a")), Subscribe)
    assert connection.hear(_subscribe("a")) == Close(4409, "Subscriber for a already exists")


@pytest.mark.parametrize("ended_by", ["client", "server"])
def test_an_id_may_be_used_anew_once_its_operation_has_ended(ended_by: str) -> None:
    connection = _ready()
    connection.hear(_subscribe("a"))
    if ended_by == "client":
        assert connection.hear('{"type":"complete","id":"a"}') == Stop("a")
    else:
        connection.end("a")
    assert isinstance(connection.hear(_subscribe("a")), Subscribe)
    assert connection.operations == 1


def test_a_complete_of_what_is_not_open_is_no_error() -> None:
    connection = _ready()
    assert connection.hear('{"type":"complete","id":"never"}') == Stop("never")
    assert connection.phase is Phase.READY


def test_pings_are_heard_at_any_time_and_pongs_need_nothing() -> None:
    for connection in (Connection(), _ready()):
        assert connection.hear('{"type":"ping","payload":{"at":1}}') == Ping({"at": 1})
        assert connection.hear('{"type":"pong","payload":{"at":1}}') is None


def test_only_who_has_not_spoken_is_overdue() -> None:
    late = Connection()
    late.hear('{"type":"ping"}')
    assert late.overdue() == Close(4408, "Connection initialisation timeout")
    assert _ready().overdue() is None
    asked = Connection()
    asked.hear('{"type":"connection_init"}')
    assert asked.overdue() is None
    assert late.overdue() is None


def test_a_closed_connection_hears_and_acknowledges_nothing() -> None:
    connection = Connection()
    connection.hear('{"type":"connection_init"}')
    connection.close()
    connection.acknowledge()
    assert connection.phase is Phase.CLOSED
    assert connection.hear("{") is None


def test_messages_are_json_whatever_the_id() -> None:
    id_ = 'a"\\ü\u2028'
    message = json.loads(next_head(id_) + b'{"data":{}}' + TAIL)
    assert message == {"id": id_, "type": "next", "payload": {"data": {}}}
    assert json.loads(complete_message(id_)) == {"id": id_, "type": "complete"}
    assert json.loads(error_message(id_, [{"message": "m"}])) == {
        "id": id_,
        "type": "error",
        "payload": [{"message": "m"}],
    }


@pytest.mark.parametrize("payload", [{"a": [1, None]}, {}])
def test_a_pong_has_the_payload_of_its_ping(payload: dict[str, Any]) -> None:
    assert json.loads(pong_message(payload)) == {"type": "pong", "payload": payload}
    assert json.loads(pong_message(None)) == {"type": "pong"}


@given(st.text(max_size=300))
def test_a_reason_fits_into_its_frame(reason: str) -> None:
    kept = close(4400, reason).reason
    assert len(kept.encode()) <= REASON_MAX_BYTES
    assert len(reason.encode(errors="replace")) > REASON_MAX_BYTES or len(kept) == len(reason)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
_TYPES = ["connection_init", "connection_ack", "subscribe", "next", "error", "complete", "ping", "pong"]
_ALIKE = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(_TYPES) | _JSON,
        "id": st.sampled_from(["1", "2", ""]) | _JSON,
        "payload": st.fixed_dictionaries(
            {}, optional={"query": st.text() | _JSON, "variables": _JSON, "operationName": _JSON}
        )
        | _JSON,
    },
)
_FRAMES = st.binary(max_size=20) | st.text(max_size=20) | _JSON.map(json.dumps) | _ALIKE.map(json.dumps)


class AnyConversation(RuleBasedStateMachine):
    """Whatever is said, in whatever order: nothing raises, and each thing heard is in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = Connection()
        self.open: set[str] = set()

    @rule(frame=_FRAMES)
    def anything(self, frame: str | bytes) -> None:
        self._heard(frame)

    @rule(id_=st.sampled_from("123"))
    def subscribe(self, id_: str) -> None:
        self._heard(_subscribe(id_))

    @rule(id_=st.sampled_from("123"))
    def complete(self, id_: str) -> None:
        self._heard(json.dumps({"type": "complete", "id": id_}))

    @rule(id_=st.sampled_from("123"))
    def end(self, id_: str) -> None:
        self.connection.end(id_)
        self.open.discard(id_)

    @rule()
    def init(self) -> None:
        self._heard('{"type":"connection_init"}')

    @rule()
    def acknowledge(self) -> None:
        self.connection.acknowledge()

    def _heard(self, frame: str | bytes) -> None:
        before = self.connection.phase
        heard = self.connection.hear(frame)
        match heard:
            case Close(code, reason):
                assert code in (4400, 4401, 4409, 4429)
                assert reason
                assert len(reason.encode()) <= REASON_MAX_BYTES
                assert self.connection.phase is Phase.CLOSED
            case Init():
                assert before is Phase.NEW
            case Subscribe(id_, request):
                assert before is Phase.READY
                assert id_ not in self.open
                assert 0 < len(id_) <= SOCKET_ID_CHARS_MAX
                assert isinstance(request.query, str)
                self.open.add(id_)
            case Stop(id_):
                self.open.discard(id_)
        assert before is not Phase.CLOSED or heard is None

    @invariant()
    def the_open_operations_are_counted(self) -> None:
        assert self.connection.operations == len(self.open)


TestAnyConversation = AnyConversation.TestCase
