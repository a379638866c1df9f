"""Validates requests: takes the requested operation of a document, and checks it against the limits.

The result is an `ExecutableOperation`. No later step looks the operation up again.
"""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, OperationType

from core.errors import LimitExceededError
from core.limits import COST_MAX
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.documents.cache import Document
from resolvers.limits.cost import check_cost
from resolvers.limits.table_sizes import NO_SIZES, TableSizes
from resolvers.limits.variable_limits import check_query_variables, check_variables
from resolvers.request import GraphQLRequest


class RefusedOperationError(Exception):
    """The operation must not run.

    Attributes:
        errors: The reasons, as the client gets them.
    """

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__(*errors)
        self.errors = errors


def validate_operation(
    schema: GraphQLSchema,
    document: Document,
    definition: OperationDefinitionNode | None,
    request: GraphQLRequest,
    sizes: TableSizes = NO_SIZES,
) -> ExecutableOperation:
    """The operation of a request, ready to run. It is validated before a connection is taken.

    Args:
        schema: The executable schema.
        document: The document of the request.
        definition: The result of `Document.find_operation`.
        request: The request.
        sizes: The sizes of the tables for the caller's tenant.

    Raises:
        RefusedOperationError: The document has errors or no such operation. Or the operation costs too much, or
            its variables are too long or nest too deep.
    """
    if document.syntax is None:
        raise RefusedOperationError(*document.errors)
    if definition is None:
        raise RefusedOperationError(_unknown_operation_error(request))
    try:
        cost = _estimate_cost(document, definition, request.variables, sizes)
    except LimitExceededError as error:
        raise RefusedOperationError(GraphQLError(error.message, original_error=error)) from error
    return ExecutableOperation(
        schema, request, document.syntax, definition, document.plans, cost, document.suggests_names
    )


def _estimate_cost(
    document: Document,
    definition: OperationDefinitionNode,
    variables: Mapping[str, Any],
    sizes: TableSizes,
) -> int:
    """The highest cost of a valid operation, in rows."""
    check_variables(variables)
    if definition.operation is not OperationType.MUTATION:
        check_query_variables(variables)
    formula = document.get_cost(definition)
    cost = formula.estimate(variables, sizes)
    check_cost(cost, formula.estimate(variables) if cost > COST_MAX else None)
    return cost


def _unknown_operation_error(request: GraphQLRequest) -> GraphQLError:
    problem = (
        f"named {request.operation_name!r:.80}"
        if request.operation_name
        else "without a name, or has several: select one by operationName"
    )
    return GraphQLError(f"The document has no operation {problem}")
