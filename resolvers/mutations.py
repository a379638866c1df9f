"""Runs a mutation: its root fields run one after the other, each in its own transaction.

    field 1:  BEGIN  sign in  write  answer  COMMIT
    field 2:                                         BEGIN  sign in  write  error  ROLLBACK
    field 3:                                                                                 does not run

A field writes its rows. Then the data loaders answer its selection in the same transaction, so the answer shows the
write. If the write or the answer fails, the transaction is rolled back and the operation ends. The commits of earlier
fields stay.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import ExecutionResult, FieldNode, GraphQLError
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values

from core.case_conversion import to_snake_case
from core.database.transactions import FailedTransactionError
from core.errors import InternalError, ProductError, build_missing_token_error
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.context import RequestContext
from resolvers.graphql_errors import find_too_large
from resolvers.sql.data_access import DataAccess
from resolvers.sql.selection import SelectionReader
from resolvers.write_transaction import MutationTransactions
from schema.mutation import MUTATIONS
from schema.mutation_field import Arguments, MutationField
from services.writes.constraint_errors import translate_constraint_error
from services.writes.validation_errors import to_python_names
from services.writes.write_context import WriteContext


class _FailedPayloadError(Exception):
    """The answer has failed after the write, so the write is rolled back."""

    def __init__(self, result: ExecutionResult) -> None:
        super().__init__()
        self.result = result


async def execute_mutation(executable: ExecutableOperation, operation: RequestContext) -> ExecutionResult:
    """Run a mutation. It sets `operation.transaction` to the last committed transaction, and `committed`."""
    definitions = executable.definition.variable_definitions or ()
    values = get_variable_values(executable.schema, definitions, dict(executable.variables))
    if not isinstance(values, VariableValues):
        return await executable.execute_with_loaders(operation)  # which reports the errors of the variables
    syntax = SelectionReader(executable.fragments, values.coerced)
    roots = syntax.collect_by_response_key(executable.definition.selection_set, "Mutation")
    data: dict[str, Any] = {}
    errors: list[GraphQLError] = []
    for key, nodes in roots.items():
        result = await _RootField(executable, operation, key, nodes).execute(values)
        errors.extend(result.errors or ())
        if result.data is None:
            return ExecutionResult(None, errors)
        data |= result.data
    return ExecutionResult(data, errors or None)


class _RootField:
    """One root field of the operation."""

    def __init__(
        self, executable: ExecutableOperation, operation: RequestContext, key: str, nodes: Sequence[FieldNode]
    ) -> None:
        self._executable = executable.with_root_fields(nodes)
        self._operation = operation
        self._key = key
        self._nodes = nodes

    async def execute(self, values: VariableValues) -> ExecutionResult:
        """Write and answer. Errors are part of the result."""
        field = MUTATIONS.get(self._nodes[0].name.value)
        if field is None:  # __typename
            return await self._executable.execute_with_loaders(self._operation)
        try:
            given = self._coerce_input(values)
            return await self._write(_require_writer(self._operation), field, given)
        except _FailedPayloadError as failure:
            return failure.result
        except GraphQLError as error:
            return self._fail(GraphQLError(error.message, self._nodes, path=[self._key]))
        except Exception as error:  # rendered like the error of any resolver, with its path
            if self._is_sign_in_failure():
                raise
            refusal = _with_client_paths(field, translate_constraint_error(error) or error)
            return self._fail(
                GraphQLError(str(refusal), self._nodes, path=[self._key], original_error=refusal)
            )

    def _is_sign_in_failure(self) -> bool:
        """Whether the caller could not sign in. Then the whole request is refused, as for a query."""
        return self._operation.writer is not None and self._operation.writer.writing is None

    def _coerce_input(self, values: VariableValues) -> dict[str, Any]:
        mutation = self._executable.schema.mutation_type
        assert mutation is not None  # noqa: S101 - the operation is valid
        node = self._nodes[0]
        return get_argument_values(
            mutation.fields[node.name.value],
            node,
            values,
            hide_suggestions=not self._executable.suggests_names,
        )

    async def _write(
        self, writer: MutationTransactions, field: MutationField, given: Mapping[str, Any]
    ) -> ExecutionResult:
        arguments = _normalize_arguments(given)
        answers: list[tuple[ExecutionResult, str]] = []

        async def execute_root_field(writing: WriteContext) -> None:
            written = await field.run(writing, arguments)
            answer = await self._read_payload(writing, written)
            answers.append((answer, writer.transactions.seal(await writing.transaction.fetch_id())))

        try:
            await writer.run_in_transaction(execute_root_field)
        except FailedTransactionError as error:
            raise _FailedPayloadError(ExecutionResult(None, answers[-1][0].errors)) from error
        result, self._operation.transaction = answers[-1]
        self._operation.committed.append(self._key)
        return result

    async def _read_payload(self, writing: WriteContext, written: object) -> ExecutionResult:
        inner = RequestContext(
            writing.viewer,
            DataAccess(writing.viewer, writing.transaction),
            self._operation.errors,
            written=written,
            size=self._operation.size,
        )
        result = await self._executable.execute_with_loaders(inner)
        if too_large := find_too_large(result.errors):
            raise _FailedPayloadError(ExecutionResult(None, [too_large]))
        if result.data is None:
            raise _FailedPayloadError(result)
        return result

    def _fail(self, error: GraphQLError) -> ExecutionResult:
        return ExecutionResult(None, [error])


def _require_writer(operation: RequestContext) -> MutationTransactions:
    if operation.writer is None:
        raise build_missing_token_error()
    return operation.writer


def _normalize_arguments(given: Mapping[str, Any]) -> Arguments:
    return {
        to_snake_case(name): to_python_names(value) if name == "input" and isinstance(value, dict) else value
        for name, value in given.items()
    }


def _with_client_paths(field: MutationField, error: Exception) -> Exception:
    """Set the error's field paths as the client wrote them. Paths in the input begin with `input`."""
    arguments = {argument.graphql_name for argument in field.arguments}
    if isinstance(error, ProductError) and not isinstance(error, InternalError) and "input" in arguments:
        error.fields = {
            name if name in arguments else f"input.{name}": problem for name, problem in error.fields.items()
        }
    return error
