"""graphql-transport-ws: each rule of its document, and whatever else a client may send."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.errors import BadUserInputError
from core.limits import EXACT_NUMBERS_MAX, SOCKET_ID_CHARS_MAX
from resolvers.request import GraphQLRequest
from subscriptions.protocol.connection_state import ConnectionPhase, ProtocolState
from subscriptions.protocol.messages import (
    NEXT_MESSAGE_END,
    REASON_MAX_BYTES,
    Close,
    CompleteMessage,
    ConnectionInit,
    Ping,
    Pong,
    RefusedSubscribe,
    Subscribe,
    build_close,
    build_complete,
    build_error,
    build_next_prefix,
    build_pong,
    parse_message,
)

QUERY = {"query": "{ __typename }"}
NO_ID: Any = object()


def _ready_connection() -> ProtocolState:
    connection = ProtocolState()
    connection.receive('{"type":"connection_init"}')
    connection.acknowledge()
    return connection


def _subscribe_message(id_: Any = "1", payload: Any = QUERY) -> str:
    named = {} if id_ is NO_ID else {"id": id_}
    return json.dumps({**named, "type": "subscribe", "payload": payload})


def _close_code(outcome: object) -> int | None:
    return int(outcome.code) if isinstance(outcome, Close) else None


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b'{"type":"ping"}', "A message must be a text frame, not a binary frame"),
        ("", "The message must be JSON: "),
        ("{", "The message must be JSON: "),
        ('{"type":"ping"} {}', "The message must be JSON: "),
        ("[" * 5_000 + "]" * 5_000, "The message must be JSON: "),
        ('{"type": NaN}', "The message must be JSON: "),
        ('"ping"', "A message must be a JSON object, not a string"),
        ("[]", "A message must be a JSON object, not an array"),
        ("null", "A message must be a JSON object, not null"),
        ("true", "A message must be a JSON object, not a boolean"),
        ("1.5", "A message must be a JSON object, not a number"),
        ("{}", "The message must have a type"),
        ('{"type":null}', "type must be a string, not null"),
        ('{"type":["ping"]}', "type must be a string, not an array"),
        ('{"type":""}', "Unknown message type ''"),
        ('{"type":"start","id":"1"}', "Unknown message type 'start'"),
        ('{"type":"Ping"}', "Unknown message type 'Ping'"),
        ('{"type":"next","id":"1","payload":{}}', "Only the server may send next"),
        ('{"type":"error","id":"1","payload":[]}', "Only the server may send error"),
        ('{"type":"connection_ack"}', "Only the server may send connection_ack"),
        ('{"type":"connection_init","payload":[]}', "payload must be an object or null, not an array"),
        ('{"type":"connection_init","payload":"a"}', "payload must be an object or null, not a string"),
        ('{"type":"ping","payload":1}', "payload must be an object or null, not a number"),
        ('{"type":"pong","payload":false}', "payload must be an object or null, not a boolean"),
        (_subscribe_message(NO_ID), "subscribe must have an id"),
        (_subscribe_message(None), "id must be a string, not null"),
        (_subscribe_message(1), "id must be a string, not a number"),
        (_subscribe_message(""), "id must not be empty"),
        (_subscribe_message("i" * 129), "id must have at most 128 characters, not 129"),
        ('{"type":"complete"}', "complete must have an id"),
        ('{"type":"complete","id":{}}', "id must be a string, not an object"),
        ('{"type":"complete","id":""}', "id must not be empty"),
        ('{"type":"subscribe","id":"1"}', "payload must be an object, not null"),
        (_subscribe_message(payload=[]), "payload must be an object, not an array"),
        (_subscribe_message(payload={}), "payload.query must be a string, not null"),
        (_subscribe_message(payload={"query": {}}), "payload.query must be a string, not an object"),
        (
            _subscribe_message(payload={**QUERY, "variables": []}),
            "payload.variables must be an object or null, ",
        ),
        (
            _subscribe_message(payload={**QUERY, "operationName": 1}),
            "payload.operationName must be a string or null, ",
        ),
        (
            _subscribe_message(payload={**QUERY, "extensions": "a"}),
            "payload.extensions must be an object or null, ",
        ),
    ],
)
@pytest.mark.parametrize("phase", [ConnectionPhase.NEW, ConnectionPhase.READY])
def test_connection_invalid_message_closes_with_4400_and_reason(
    frame: str | bytes, reason: str, phase: ConnectionPhase
) -> None:
    connection = ProtocolState() if phase is ConnectionPhase.NEW else _ready_connection()
    outcome = connection.receive(frame)
    assert isinstance(outcome, Close)
    assert outcome.code == 4400
    assert outcome.reason.startswith(reason)
    assert connection.phase is ConnectionPhase.CLOSED


DEEP = "[" * 1030 + "]" * 1030
REFUSED_VALUES = {
    "half pair": r'"\ud83c"',
    "other half": r'{"a":["\uDF89"]}',
    "deep": DEEP,
    "deeper": "[" * 200_000 + "]" * 200_000,
    "exact numbers": f"[{','.join(['0.12345678901234567890123'] * (EXACT_NUMBERS_MAX + 1))}]",
}
ENVELOPES = {
    "first": '{{"id":"1","type":"subscribe","payload":{{"query":"{{a}}","variables":{{"v":{}}}}}}}',
    "spaced": ' {{ "type" : "subscribe", "payload": {{"variables": {{"v": {}}} }} , "id" :"1" }} ',
    "last": '{{"payload":{{"variables":{{"v":{},"id":"2"}}}},"id":"1","type":"subscribe"}}',
}


@pytest.mark.parametrize("value", REFUSED_VALUES.values(), ids=REFUSED_VALUES)
@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES)
def test_connection_fault_of_one_operation_refuses_that_operation(envelope: str, value: str) -> None:
    connection = _ready_connection()
    message = connection.receive(envelope.format(value))
    assert isinstance(message, RefusedSubscribe)
    assert message.id == "1"
    assert isinstance(message.error, BadUserInputError)
    assert str(message.error).startswith("The message ")
    assert connection.phase is ConnectionPhase.READY
    assert _close_code(connection.receive(_subscribe_message("1"))) == 4409


@pytest.mark.parametrize("phase", [ConnectionPhase.NEW, ConnectionPhase.READY])
@pytest.mark.parametrize("value", REFUSED_VALUES.values(), ids=REFUSED_VALUES)
@pytest.mark.parametrize(
    "envelope",
    [
        '{{"type":"ping","payload":{{"v":{}}}}}',
        '{{"type":"connection_init","payload":{{"v":{}}}}}',
        '{{"type":"subscribe","payload":{{"id":"1","v":{}}}}}',
        '{{"id":"","type":"subscribe","payload":{{"v":{}}}}}',
        '{{"id":1,"type":"subscribe","payload":{{"v":{}}}}}',
        '{{"id":"' + "i" * 129 + '","type":"subscribe","payload":{{"v":{}}}}}',
        '{{"id":"\\ud83c","type":"subscribe","payload":{{"v":{}}}}}',
        '[{{"id":"1","type":"subscribe","payload":{{"v":{}}}}}]',
    ],
)
def test_connection_unreadable_message_without_operation_is_4400(
    envelope: str, value: str, phase: ConnectionPhase
) -> None:
    connection = ProtocolState() if phase is ConnectionPhase.NEW else _ready_connection()
    assert _close_code(connection.receive(envelope.format(value))) == 4400


def test_read_message_persisted_query_is_refused_as_apollo_server_does() -> None:
    payload = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "a"}}}
    message = parse_message(_subscribe_message(payload=payload))
    assert isinstance(message, RefusedSubscribe)
    assert str(message.error) == "PersistedQueryNotSupported"
    assert message.error.extensions() == {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}


def test_connection_refused_subscribe_follows_the_rules_of_subscribe() -> None:
    frame = ENVELOPES["first"].format(DEEP)
    assert _close_code(ProtocolState().receive(frame)) == 4401
    connection = _ready_connection()
    connection.receive(_subscribe_message("1"))
    assert _close_code(connection.receive(frame)) == 4409


@pytest.mark.parametrize("payload", ["", ',"payload":null', ',"payload":{}'])
def test_read_message_payload_may_be_null_or_absent(payload: str) -> None:
    assert parse_message(f'{{"type":"connection_init"{payload}}}') == ConnectionInit({})
    assert parse_message(f'{{"type":"pong"{payload}}}') == Pong()
    assert isinstance(parse_message(f'{{"type":"ping"{payload}}}'), Ping)


def test_read_message_subscribe_with_nulls_or_all_members_gives_request() -> None:
    nulls = {**QUERY, "variables": None, "operationName": None, "extensions": None}
    assert parse_message(_subscribe_message(payload=nulls)) == Subscribe(
        "1", GraphQLRequest("{ __typename }", {}, None, {})
    )
    full = {
        "query": "query A { a }",
        "variables": {"n": 1},
        "operationName": "A",
        "extensions": {"cost": True},
    }
    assert parse_message(_subscribe_message("ä", full)) == Subscribe(
        "ä", GraphQLRequest("query A { a }", {"n": 1}, "A", {"cost": True})
    )


def test_read_message_extra_members_are_ignored() -> None:
    assert parse_message('{"type":"complete","id":"1","more":[1]}') == CompleteMessage("1")


def test_connection_init_is_acknowledged() -> None:
    connection = ProtocolState()
    assert connection.receive('{"type":"connection_init","payload":{"a":1}}') == ConnectionInit({"a": 1})
    phase = connection.phase
    assert phase is ConnectionPhase.INITIALIZING
    connection.acknowledge()
    assert connection.phase is ConnectionPhase.READY


@pytest.mark.parametrize("inits", [0, 1])
def test_connection_subscribe_before_acknowledgement_closes_with_4401(inits: int) -> None:
    connection = ProtocolState()
    for _ in range(inits):
        connection.receive('{"type":"connection_init"}')
    assert connection.receive(_subscribe_message()) == Close(4401, "Unauthorized")


@pytest.mark.parametrize("connection", [ProtocolState(), _ready_connection()], ids=["before", "after"])
def test_connection_second_init_closes_with_4429(connection: ProtocolState) -> None:
    connection.receive('{"type":"connection_init"}')
    if connection.phase is not ConnectionPhase.CLOSED:
        assert _close_code(connection.receive('{"type":"connection_init"}')) == 4429
    assert connection.phase is ConnectionPhase.CLOSED


def test_connection_subscribe_with_used_id_closes_with_4409() -> None:
    connection = _ready_connection()
    assert isinstance(connection.receive(_subscribe_message("a")), Subscribe)
    assert connection.receive(_subscribe_message("a")) == Close(4409, "Subscriber for a already exists")


@pytest.mark.parametrize("ended_by", ["client", "server"])
def test_connection_id_of_ended_operation_may_be_reused(ended_by: str) -> None:
    connection = _ready_connection()
    connection.receive(_subscribe_message("a"))
    if ended_by == "client":
        assert connection.receive('{"type":"complete","id":"a"}') == CompleteMessage("a")
    else:
        connection.complete_operation("a")
    assert isinstance(connection.receive(_subscribe_message("a")), Subscribe)
    assert connection.operations == 1


def test_connection_complete_of_unknown_id_is_no_error() -> None:
    connection = _ready_connection()
    assert connection.receive('{"type":"complete","id":"never"}') == CompleteMessage("never")
    assert connection.phase is ConnectionPhase.READY


def test_connection_ping_and_pong_are_accepted_in_any_phase() -> None:
    for connection in (ProtocolState(), _ready_connection()):
        assert connection.receive('{"type":"ping","payload":{"at":1}}') == Ping({"at": 1})
        assert connection.receive('{"type":"pong","payload":{"at":1}}') is None


def test_connection_overdue_without_init_closes_with_4408() -> None:
    late = ProtocolState()
    late.receive('{"type":"ping"}')
    assert late.check_init_timeout() == Close(4408, "Connection initialisation timeout")
    assert _ready_connection().check_init_timeout() is None
    initialized = ProtocolState()
    initialized.receive('{"type":"connection_init"}')
    assert initialized.check_init_timeout() is None
    assert late.check_init_timeout() is None


def test_connection_closed_ignores_messages_and_acknowledgement() -> None:
    connection = ProtocolState()
    connection.receive('{"type":"connection_init"}')
    connection.close()
    connection.acknowledge()
    assert connection.phase is ConnectionPhase.CLOSED
    assert connection.receive("{") is None


def test_messages_with_any_id_are_json() -> None:
    id_ = 'a"\\ü\u2028'
    message = json.loads(build_next_prefix(id_) + b'{"data":{}}' + NEXT_MESSAGE_END)
    assert message == {"id": id_, "type": "next", "payload": {"data": {}}}
    assert json.loads(build_complete(id_)) == {"id": id_, "type": "complete"}
    assert json.loads(build_error(id_, [{"message": "m"}])) == {
        "id": id_,
        "type": "error",
        "payload": [{"message": "m"}],
    }


@pytest.mark.parametrize("payload", [{"a": [1, None]}, {}])
def test_pong_message_has_the_payload_of_its_ping(payload: dict[str, Any]) -> None:
    assert json.loads(build_pong(payload)) == {"type": "pong", "payload": payload}
    assert json.loads(build_pong(None)) == {"type": "pong"}


@given(st.text(max_size=300))
def test_close_reason_is_cut_to_the_frame_limit(reason: str) -> None:
    kept = build_close(4400, reason).reason
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


class RandomConversation(RuleBasedStateMachine):
    """Any messages in any order: nothing raises, and each received message is valid at its time."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = ProtocolState()
        self.open: set[str] = set()

    @rule(frame=_FRAMES)
    def receive_anything(self, frame: str | bytes) -> None:
        self._receive(frame)

    @rule(id_=st.sampled_from("123"))
    def subscribe(self, id_: str) -> None:
        self._receive(_subscribe_message(id_))

    @rule(id_=st.sampled_from("123"))
    def complete(self, id_: str) -> None:
        self._receive(json.dumps({"type": "complete", "id": id_}))

    @rule(id_=st.sampled_from("123"))
    def end(self, id_: str) -> None:
        self.connection.complete_operation(id_)
        self.open.discard(id_)

    @rule()
    def init(self) -> None:
        self._receive('{"type":"connection_init"}')

    @rule()
    def acknowledge(self) -> None:
        self.connection.acknowledge()

    def _receive(self, frame: str | bytes) -> None:
        before = self.connection.phase
        received = self.connection.receive(frame)
        match received:
            case Close(code, reason):
                assert code in (4400, 4401, 4409, 4429)
                assert reason
                assert len(reason.encode()) <= REASON_MAX_BYTES
                assert self.connection.phase is ConnectionPhase.CLOSED
            case ConnectionInit():
                assert before is ConnectionPhase.NEW
            case Subscribe(id_, request):
                assert before is ConnectionPhase.READY
                assert id_ not in self.open
                assert 0 < len(id_) <= SOCKET_ID_CHARS_MAX
                assert isinstance(request.query, str)
                self.open.add(id_)
            case CompleteMessage(id_):
                self.open.discard(id_)
        assert before is not ConnectionPhase.CLOSED or received is None

    @invariant()
    def the_open_operations_are_counted(self) -> None:
        assert self.connection.operations == len(self.open)


TestRandomConversation = RandomConversation.TestCase


def test_read_message_hard_numbers_in_variables_keep_their_value() -> None:
    numbers = (
        "12345678901234567890123",
        "0.12345678901234567890123",
        "1e400",
        "18446744073709551616",
        "true",
    )
    variables = f'{{"v": [{", ".join(numbers)}]}}'
    outcome = parse_message(
        f'{{"id":"1","type":"subscribe","payload":{{"query":"{{ a }}","variables":{variables}}}}}'
    )
    assert isinstance(outcome, Subscribe)
    wanted = [Decimal(text) for text in numbers[:-1]]
    assert outcome.request.variables["v"][:-1] == wanted
    assert outcome.request.variables["v"][-1] is True


def test_read_message_more_exact_numbers_than_allowed_is_refused() -> None:
    numbers = ",".join(["0.1234567890123456789"] * (EXACT_NUMBERS_MAX + 1))
    outcome = parse_message(
        f'{{"id":"1","type":"subscribe","payload":{{"query":"{{ a }}","variables":{{"v":[{numbers}]}}}}}}'
    )
    assert isinstance(outcome, RefusedSubscribe)
    assert "too complex" in str(outcome.error)
