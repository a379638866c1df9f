"""Runs a mutation: its root fields one after the other, each in a transaction of its own, answer included.

A field writes, and then its selection is answered by the ordinary data loaders in the same transaction, which
therefore shows what was written. Where writing or answering fails the transaction is rolled back, and with it the
operation ends: what earlier fields have committed stays.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import ExecutionResult, FieldNode, GraphQLError
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values

from core.errors import InternalError, ProductError, UnauthenticatedError
from core.transactions import BrokenTransactionError
from resolvers.asked import Asked
from resolvers.operation import Operation
from resolvers.rows import Rows
from resolvers.selection import Syntax, fragments_of
from resolvers.writer import Writer
from schema.mutation import MUTATIONS
from schema.mutation_field import Arguments, MutationField
from services.writes.complaints import python_name, pythonic
from services.writes.refusals import refusal_of
from services.writes.writing import Writing


class _FailedAnswerError(Exception):
    """What was written cannot be answered, so that it is taken back."""

    def __init__(self, result: ExecutionResult) -> None:
        super().__init__()
        self.result = result


async def run(asked: Asked, operation: Operation) -> ExecutionResult:
    """Run a mutation; `operation.transaction` tells afterwards the last transaction that was committed."""
    definitions = asked.definition.variable_definitions or ()
    values = get_variable_values(asked.schema, definitions, dict(asked.variables))
    if not isinstance(values, VariableValues):
        return await asked.through_loaders(operation)  # which ends with what is wrong with the variables
    syntax = Syntax(fragments_of(asked.syntax), values.coerced)
    roots = syntax.responses_of(asked.definition.selection_set, "Mutation")
    data: dict[str, Any] = {}
    errors: list[GraphQLError] = []
    for key, nodes in roots.items():
        result = await _Root(asked, operation, key, nodes).run(values)
        errors.extend(result.errors or ())
        if result.data is None:
            return ExecutionResult(None, errors)
        data |= result.data
    return ExecutionResult(data, errors or None)


class _Root:
    """One root field of the operation."""

    def __init__(self, asked: Asked, operation: Operation, key: str, nodes: Sequence[FieldNode]) -> None:
        self._asked = asked.only(nodes)
        self._operation = operation
        self._key = key
        self._nodes = nodes

    async def run(self, values: VariableValues) -> ExecutionResult:
        """Write and answer, or tell why not."""
        field = MUTATIONS.get(self._nodes[0].name.value)
        if field is None:  # __typename
            return await self._asked.through_loaders(self._operation)
        try:
            given = self._given(values)
            return await self._written(_writer(self._operation), field, given)
        except _FailedAnswerError as failure:
            return failure.result
        except GraphQLError as error:
            return self._failed(GraphQLError(error.message, self._nodes, path=[self._key]))
        except Exception as error:  # rendered as any resolver's, with its place in the answer
            if self._not_signed_in():
                raise
            told = _placed(field, refusal_of(error) or error)
            return self._failed(GraphQLError(str(told), self._nodes, path=[self._key], original_error=told))

    def _not_signed_in(self) -> bool:
        """Whether the caller did not even get in, so that the request is refused as a whole, as a query is."""
        return self._operation.writer is not None and self._operation.writer.writing is None

    def _given(self, values: VariableValues) -> dict[str, Any]:
        mutation = self._asked.schema.mutation_type
        assert mutation is not None  # noqa: S101 - the operation is valid
        node = self._nodes[0]
        return get_argument_values(
            mutation.fields[node.name.value], node, values, hide_suggestions=not self._asked.suggests
        )

    async def _written(
        self, writer: Writer, field: MutationField, given: Mapping[str, Any]
    ) -> ExecutionResult:
        arguments = _arguments(given)
        answers: list[tuple[ExecutionResult, str]] = []

        async def work(writing: Writing) -> None:
            written = await field.run(writing, arguments)
            answer = await self._answer(writing, written)
            answers.append((answer, await writing.transaction.number()))

        try:
            await writer.carry_out(work)
        except BrokenTransactionError as error:
            raise _FailedAnswerError(ExecutionResult(None, answers[-1][0].errors)) from error
        result, self._operation.transaction = answers[-1]
        return result

    async def _answer(self, writing: Writing, written: object) -> ExecutionResult:
        inner = Operation(
            writing.viewer,
            Rows(writing.viewer, writing.transaction),
            self._operation.faults,
            written=written,
        )
        result = await self._asked.through_loaders(inner)
        if result.data is None:
            raise _FailedAnswerError(result)
        return result

    def _failed(self, error: GraphQLError) -> ExecutionResult:
        return ExecutionResult(None, [error])


def _writer(operation: Operation) -> Writer:
    if operation.writer is None:
        raise UnauthenticatedError("Sign in: send a bearer token")
    return operation.writer


def _arguments(given: Mapping[str, Any]) -> Arguments:
    return {
        python_name(name): pythonic(value) if name == "input" and isinstance(value, dict) else value
        for name, value in given.items()
    }


def _placed(field: MutationField, error: Exception) -> Exception:
    """The error with the paths of its fields as the client wrote them: those of the input are below `input`."""
    arguments = {argument.graphql_name for argument in field.arguments}
    if isinstance(error, ProductError) and not isinstance(error, InternalError) and "input" in arguments:
        error.fields = {
            name if name in arguments else f"input.{name}": problem for name, problem in error.fields.items()
        }
    return error
