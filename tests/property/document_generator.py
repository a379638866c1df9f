"""Generates documents over the whole schema, from the built schema and the declarations only.

A document is valid by construction. A small share of its arguments and values is meant to be refused when it
runs.
"""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import GraphQLSchema

from tests.property.argument_generator import ArgumentGenerator
from tests.property.filter_generator import FilterGenerator
from tests.property.position import Position
from tests.property.row_samples import RowSamples
from tests.property.selection_writer import MAX_DEPTH, SelectionWriter
from tests.property.variable_generator import VariableGenerator


@dataclass(frozen=True, slots=True)
class GeneratedDocument:
    """A request: what a client sends."""

    text: str
    variables: dict[str, Any]
    operation_name: str | None = None

    def __str__(self) -> str:
        name = f"\noperation: {self.operation_name}" if self.operation_name else ""
        return f"{self.text}\nvariables: {json.dumps(self.variables, ensure_ascii=True)}{name}"


@dataclass(slots=True)
class DocumentGenerator:
    """Makes documents for one viewer.

    Attributes:
        schema: The schema.
        samples: The source of values.
        tenant_id: The viewer's tenant. Its rows are queried.
        roots: The root fields that the viewer may select. They occur more often than the others.
        cursors: Cursors of earlier responses, for the wrong lists.
    """

    schema: GraphQLSchema
    samples: RowSamples
    tenant_id: str
    roots: tuple[str, ...]
    cursors: list[str] = field(default_factory=list)

    def make_document(self, seed: object) -> GeneratedDocument:
        """The document of a seed."""
        random = Random(str(seed))  # noqa: S311 - tests are to be repeatable
        variables = VariableGenerator(random)
        filters = FilterGenerator(random, self.samples, self.tenant_id, variables)
        arguments = ArgumentGenerator(random, self.samples, self.tenant_id, variables, filters, self.cursors)
        return _assemble_document(
            random, SelectionWriter(self.schema, random, variables, arguments, self.roots), variables
        )


def _assemble_document(
    random: Random, writing: SelectionWriter, variables: VariableGenerator
) -> GeneratedDocument:
    query = writing.schema.query_type
    assert query is not None
    depth = random.choices(range(1, MAX_DEPTH + 1), (10, 25, 30, 25, 10))[0]
    body = writing.write_selection_set(query, Position(depth, 1))
    name = random.choice(("", "", "Q", "query", "Overview"))
    head = ", ".join(variables.declared.values())
    operation = f"query {name}{f'({head})' if head else ''} {body}" if head or name else body
    other = ["query Other { viewer { kind } }"] if name and random.random() < 0.15 else []
    parts = [operation, *(fragment.text for fragment in writing.fragments), *other]
    random.shuffle(parts)
    chosen = name if name and (other or random.random() < 0.5) else None
    return GeneratedDocument("\n".join(parts), _parse_variables(variables.given), chosen)


def _parse_variables(variables: dict[str, Any]) -> dict[str, Any]:
    """The variables as the server reads them from a body."""
    read: dict[str, Any] = json.loads(json.dumps(variables))
    return read
