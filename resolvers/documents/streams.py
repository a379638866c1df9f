"""A subscription to a stream: its arguments, and the writing of its messages.

A message without rows on its events is written from the selection alone. This takes a fraction of the time of an
execution. graphql-core and the data loaders execute all other messages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLEnumType,
    GraphQLObjectType,
    VariableNode,
    Visitor,
    get_named_type,
    visit,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values

from core.errors import BadUserInputError
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.context import RequestContext
from resolvers.sql.selection import SelectionReader
from schema.streams import STREAMS, StreamType

Event = Mapping[str, Any]
"""An event by GraphQL names. Enums have the database's values."""

_TYPENAME: Final = "__typename"


@dataclass(frozen=True, slots=True)
class _PlainField:
    """An event's field that is written without a resolver."""

    key: str
    name: str
    enum: bool

    def read_value(self, event: Event) -> Any:
        """Its value for JSON."""
        value = event.get(self.name)
        return value.upper() if self.enum and value is not None else value


class StreamOperation:
    """The operation of a stream.

    Attributes:
        stream: The stream.
        arguments: Its coerced arguments.
        variables: The variables that the messages can depend on, as they came.
        plain: Whether no message needs a row.
    """

    def __init__(self, operation: ExecutableOperation, nodes: Sequence[FieldNode]) -> None:
        """Read a subscription to a stream. `nodes` are those of `find_stream_nodes`.

        Raises:
            BadUserInputError: The variables do not fit.
        """
        self._operation = operation
        self.stream: StreamType = STREAMS[nodes[0].name.value]
        self._key = (nodes[0].alias or nodes[0].name).value
        coerced = _coerce_variables(operation)
        self.arguments = self._coerce_arguments(nodes[0], coerced)
        since = self._find_since_variable(nodes[0])
        self.variables = {name: value for name, value in operation.variables.items() if name != since}
        self._read_selection(SelectionReader(operation.fragments, coerced.coerced), nodes)

    def render_plain(self, cursor: str, events: Sequence[Event]) -> dict[str, Any]:
        """The response of a message that needs no rows: any message of a plain document, and any without events."""
        assert self.plain or not events  # noqa: S101 - the caller has checked
        selected = {key: self._render_field(key, name, cursor, events) for key, name in self._message.items()}
        return {"data": {self._key: selected}}

    async def execute(self, cursor: str, events: Sequence[Event], context: RequestContext) -> ExecutionResult:
        """Execute a message by graphql-core."""
        return await self._operation.execute_with_loaders(context, {"cursor": cursor, "events": events})

    def _coerce_arguments(self, node: FieldNode, coerced: VariableValues) -> dict[str, Any]:
        subscription = self._operation.schema.subscription_type
        assert subscription is not None  # noqa: S101 - the document is valid
        return get_argument_values(subscription.fields[node.name.value], node, coerced)

    def _find_since_variable(self, node: FieldNode) -> str | None:
        """The variable that is used for `since` only.

        Subscribers with other values of it get the same messages later on.
        """
        given = next((a.value for a in node.arguments or () if a.name.value == "since"), None)
        if not isinstance(given, VariableNode):
            return None
        uses = _VariableUses(given.name.value)
        visit(self._operation.syntax, uses)
        return given.name.value if uses.count == 1 else None

    def _read_selection(self, syntax: SelectionReader, nodes: Sequence[FieldNode]) -> None:
        message = syntax.collect_fields_by_response_key(nodes, self.stream.messages)
        self._message = {key: fields[0].name.value for key, fields in message.items()}
        self._events: dict[str, list[_PlainField]] = {}
        self.plain = True
        event_type = self._operation.schema.type_map[self.stream.event.__name__]
        assert isinstance(event_type, GraphQLObjectType)  # noqa: S101 - it is declared as one
        for key, fields in message.items():
            if fields[0].name.value == "events":
                self._events[key] = self._list_plain_fields(syntax, fields, event_type)

    def _list_plain_fields(
        self, syntax: SelectionReader, nodes: Sequence[FieldNode], event_type: GraphQLObjectType
    ) -> list[_PlainField]:
        plain: list[_PlainField] = []
        for key, fields in syntax.collect_fields_by_response_key(nodes, event_type.name).items():
            name = fields[0].name.value
            type_ = None if name == _TYPENAME else get_named_type(event_type.fields[name].type)
            if isinstance(type_, GraphQLObjectType):
                self.plain = False
            plain.append(_PlainField(key, name, isinstance(type_, GraphQLEnumType)))
        return plain

    def _render_field(self, key: str, name: str, cursor: str, events: Sequence[Event]) -> Any:
        match name:
            case "cursor":
                return cursor
            case "events":
                return [self._render_event(self._events[key], event) for event in events]
            case _:
                return self.stream.messages

    def _render_event(self, plain: Sequence[_PlainField], event: Event) -> dict[str, Any]:
        type_name = self.stream.event.__name__
        return {
            field.key: type_name if field.name == _TYPENAME else field.read_value(event) for field in plain
        }


class _VariableUses(Visitor):
    """Counts the uses of a variable, without its definition."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.count = 0

    def enter_variable_definition(self, *_: Any) -> Any:
        """Skip a definition: it is no use of the variable."""
        return self.SKIP

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """Count one use."""
        self.count += node.name.value == self._name


def _coerce_variables(operation: ExecutableOperation) -> VariableValues:
    definitions = operation.definition.variable_definitions or ()
    values = get_variable_values(operation.schema, definitions, dict(operation.variables))
    if isinstance(values, VariableValues):
        return values
    raise BadUserInputError("; ".join(error.message for error in values))
