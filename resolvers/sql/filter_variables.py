"""Finds operators of a filter whose variable is left out.

GraphQL omits an input field if its variable has no value. So `{siteId: {eq: $site}, name: {contains: "a"}}` without
`$site` is coerced to a filter that matches the rows of all sites. The coerced value does not show this. The document
does.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import FieldNode, ListValueNode, ObjectValueNode, ValueNode, VariableNode

from resolvers.sql.filters import build_operand_error
from schema.table import Table
from schema.tables import BY_NAME


def require_operand_variables(table: Table, node: FieldNode, variables: Mapping[str, Any]) -> None:
    """Check that each variable that is an operand of the argument `where` has a value, or null.

    A variable that is a whole filter or a whole operator input may be left out: a field without value is no
    condition.

    Raises:
        BadUserInputError: A variable is left out.
    """
    for argument in node.arguments or ():
        if argument.name.value == "where":
            for path, name in _iter_operand_variables(table, argument.value, "where"):
                if name not in variables:
                    raise build_operand_error(path, f"needs the variable ${name}, which is left out")


def _iter_operand_variables(table: Table, where: ValueNode, path: str) -> Iterator[tuple[str, str]]:
    """The operands of a filter that are variables: their paths and the variables' names."""
    if isinstance(where, ListValueNode):
        for number, each in enumerate(where.values):
            yield from _iter_operand_variables(table, each, f"{path}.{number}")
    elif isinstance(where, ObjectValueNode):
        for field in where.fields:
            name = field.name.value
            if name in table.by_graphql_name:
                yield from _iter_variables(field.value, f"{path}.{name}")
            else:
                nested = _find_filtered_table(table, name)
                yield from _iter_operand_variables(nested, field.value, f"{path}.{name}")


def _find_filtered_table(table: Table, name: str) -> Table:
    """The table of the filter in the field `name`, which is a relation or combines filters of the same table."""
    return next((BY_NAME[r.table] for r in table.references if r.one == name), table)


def _iter_variables(operators: ValueNode, path: str) -> Iterator[tuple[str, str]]:
    for field in operators.fields if isinstance(operators, ObjectValueNode) else ():
        if isinstance(field.value, VariableNode):
            yield f"{path}.{field.name.value}", field.value.name.value
