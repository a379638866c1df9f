"""A subscription to a stream: what it asks for, and how a message of it is written.

A message that has no rows on its events is written from the selection alone, which takes a fraction of the time of
executing it; the others are executed by graphql-core, through the data loaders.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    execute,
    get_named_type,
    visit,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values

from core.errors import BadUserInputError
from resolvers.documents import Document
from resolvers.live_documents import stream_of
from resolvers.operation import Operation
from resolvers.selection import Syntax
from schema.streams import STREAMS, StreamType

Event = Mapping[str, Any]
"""An event by GraphQL's names; enums as the database has them."""

_TYPENAME: Final = "__typename"


@dataclass(frozen=True, slots=True)
class _Plain:
    """An event's field that is written as it is."""

    key: str
    name: str
    enum: bool

    def value(self, event: Event) -> Any:
        """Its value, as JSON has it."""
        value = event.get(self.name)
        return value.upper() if self.enum and value is not None else value


class StreamDocument:
    """One operation of a document with one request's variables, which asks for a stream.

    Attributes:
        stream: The stream.
        arguments: Its coerced arguments.
        variables: The variables that the messages can depend on, as they came.
        plain: Whether no message takes any row.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        document: Document,
        definition: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        """Read a valid subscription to a stream.

        Raises:
            BadUserInputError: The variables do not fit.
        """
        nodes = stream_of(document, definition)
        assert nodes  # noqa: S101 - the caller has looked
        self._schema = schema
        self._document = document
        self._definition = definition
        self._given = dict(variables)
        self.stream: StreamType = STREAMS[nodes[0].name.value]
        self._key = (nodes[0].alias or nodes[0].name).value
        coerced = _coerced(schema, definition, self._given)
        self.arguments = self._arguments(nodes[0], coerced)
        self.variables = {k: v for k, v in self._given.items() if k != self._of_since(nodes[0])}
        self._read(Syntax(document.fragments, coerced.coerced), nodes)

    def text(self, cursor: str, events: Sequence[Event]) -> dict[str, Any]:
        """The response for a message that takes no rows: any of a plain document, and any without events."""
        assert self.plain or not events  # noqa: S101 - the caller has looked
        shown = {key: self._part(key, name, cursor, events) for key, name in self._message.items()}
        return {"data": {self._key: shown}}

    async def execute(self, cursor: str, events: Sequence[Event], operation: Operation) -> ExecutionResult:
        """Execute a message by graphql-core."""
        name, syntax = self._definition.name, self._document.syntax
        assert syntax is not None  # noqa: S101 - the document is valid
        operation.loaded = True
        result = execute(
            self._schema,
            syntax,
            root_value={"cursor": cursor, "events": events},
            context_value=operation,
            variable_values=self._given,
            operation_name=name.value if name else None,
            hide_suggestions=not self._document.suggests,
        )
        return await result if isinstance(result, Awaitable) else result

    def _arguments(self, node: FieldNode, coerced: VariableValues) -> dict[str, Any]:
        subscription = self._schema.subscription_type
        assert subscription is not None  # noqa: S101 - the document is valid
        return get_argument_values(subscription.fields[node.name.value], node, coerced)

    def _of_since(self, node: FieldNode) -> str | None:
        """The variable that only says where to begin: those who began elsewhere are told the same from then on."""
        given = next((a.value for a in node.arguments or () if a.name.value == "since"), None)
        if not isinstance(given, VariableNode):
            return None
        uses = _Uses(given.name.value)
        assert self._document.syntax is not None  # noqa: S101 - the document is valid
        visit(self._document.syntax, uses)
        return given.name.value if uses.count == 1 else None

    def _read(self, syntax: Syntax, nodes: Sequence[FieldNode]) -> None:
        message = syntax.responses(nodes, self.stream.messages)
        self._message = {key: fields[0].name.value for key, fields in message.items()}
        self._events: dict[str, list[_Plain]] = {}
        self.plain = True
        event_type = self._schema.type_map[self.stream.event.__name__]
        assert isinstance(event_type, GraphQLObjectType)  # noqa: S101 - it is declared as one
        for key, fields in message.items():
            if fields[0].name.value == "events":
                self._events[key] = self._plain(syntax, fields, event_type)

    def _plain(
        self, syntax: Syntax, nodes: Sequence[FieldNode], event_type: GraphQLObjectType
    ) -> list[_Plain]:
        plain: list[_Plain] = []
        for key, fields in syntax.responses(nodes, event_type.name).items():
            name = fields[0].name.value
            type_ = None if name == _TYPENAME else get_named_type(event_type.fields[name].type)
            if isinstance(type_, GraphQLObjectType):
                self.plain = False
            plain.append(_Plain(key, name, isinstance(type_, GraphQLEnumType)))
        return plain

    def _part(self, key: str, name: str, cursor: str, events: Sequence[Event]) -> Any:
        match name:
            case "cursor":
                return cursor
            case "events":
                return [self._event(self._events[key], event) for event in events]
            case _:
                return self.stream.messages

    def _event(self, plain: Sequence[_Plain], event: Event) -> dict[str, Any]:
        type_name = self.stream.event.__name__
        return {field.key: type_name if field.name == _TYPENAME else field.value(event) for field in plain}


class _Uses(Visitor):
    """Counts where a variable is used, beside its definitions."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.count = 0

    def enter_variable_definition(self, *_: Any) -> Any:
        """A definition is no use."""
        return self.SKIP

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """Count one."""
        self.count += node.name.value == self._name


def _coerced(
    schema: GraphQLSchema, definition: OperationDefinitionNode, variables: dict[str, Any]
) -> VariableValues:
    values = get_variable_values(schema, definition.variable_definitions or (), variables)
    if isinstance(values, VariableValues):
        return values
    raise BadUserInputError("; ".join(error.message for error in values))
