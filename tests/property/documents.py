"""Generates documents over the whole schema: all of it is derived from the built schema and the declarations.

A document is valid by construction; a small share of its arguments and values is meant to be refused when it runs.
"""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import GraphQLSchema

from tests.property.arguments import Arguments
from tests.property.filters import Filters
from tests.property.samples import Samples
from tests.property.variables import Variables
from tests.property.writing import DEPTH, Place, Writing


@dataclass(frozen=True, slots=True)
class Document:
    """A request: what a client sends."""

    text: str
    variables: dict[str, Any]
    operation_name: str | None = None

    def __str__(self) -> str:
        name = f"\noperation: {self.operation_name}" if self.operation_name else ""
        return f"{self.text}\nvariables: {json.dumps(self.variables, ensure_ascii=True)}{name}"


@dataclass(slots=True)
class Generator:
    """Makes documents for one viewer.

    Attributes:
        schema: The schema.
        samples: Where values come from.
        tenant_id: The viewer's tenant, whose rows are asked for.
        roots: The root fields that the viewer may ask for; asked for more than the others.
        cursors: Cursors of earlier answers, for the wrong lists.
    """

    schema: GraphQLSchema
    samples: Samples
    tenant_id: str
    roots: tuple[str, ...]
    cursors: list[str] = field(default_factory=list)

    def document(self, seed: object) -> Document:
        """The document of a seed."""
        random = Random(str(seed))  # noqa: S311 - tests are to be repeatable
        variables = Variables(random)
        filters = Filters(random, self.samples, self.tenant_id, variables)
        arguments = Arguments(random, self.samples, self.tenant_id, variables, filters, self.cursors)
        return _assembled(random, Writing(self.schema, random, variables, arguments, self.roots), variables)


def _assembled(random: Random, writing: Writing, variables: Variables) -> Document:
    query = writing.schema.query_type
    assert query is not None
    depth = random.choices(range(1, DEPTH + 1), (10, 25, 30, 25, 10))[0]
    body = writing.selection(query, Place(depth, 1))
    name = random.choice(("", "", "Q", "query", "Overview"))
    head = ", ".join(variables.declared.values())
    operation = f"query {name}{f'({head})' if head else ''} {body}" if head or name else body
    other = ["query Other { viewer { kind } }"] if name and random.random() < 0.15 else []
    parts = [operation, *(fragment.text for fragment in writing.fragments), *other]
    random.shuffle(parts)
    chosen = name if name and (other or random.random() < 0.5) else None
    return Document("\n".join(parts), _sent(variables.given), chosen)


def _sent(variables: dict[str, Any]) -> dict[str, Any]:
    """The variables as the server reads them from a body."""
    read: dict[str, Any] = json.loads(json.dumps(variables))
    return read
