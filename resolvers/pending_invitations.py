"""The operations of an invited person who is no user yet: to read the invitations, and to accept one."""

from collections.abc import Mapping
from typing import Final

from graphql import OperationType
from graphql.execution.values import VariableValues, get_variable_values

from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.sql.selection import SelectionReader

_FIELDS: Final[Mapping[OperationType, tuple[str, str]]] = {
    OperationType.QUERY: ("Query", "pendingInvitations"),
    OperationType.MUTATION: ("Mutation", "acceptInvitation"),
}


def is_for_invited(operation: ExecutableOperation) -> bool:
    """Whether an operation has only the root fields of an invited person, and perhaps `__typename`."""
    if operation.type not in _FIELDS:
        return False
    type_name, field = _FIELDS[operation.type]
    definitions = operation.definition.variable_definitions or ()
    values = get_variable_values(operation.schema, definitions, dict(operation.variables))
    if not isinstance(values, VariableValues):
        return False
    syntax = SelectionReader(operation.fragments, values.coerced)
    roots = syntax.collect_by_response_key(operation.definition.selection_set, type_name)
    names = {nodes[0].name.value for nodes in roots.values()}
    return field in names and names <= {field, "__typename"}
