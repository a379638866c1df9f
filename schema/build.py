"""The GraphQL schema, made of the declarations."""

from graphql import GraphQLSchema
from strawberry import Schema
from strawberry.schema.config import StrawberryConfig

from schema.mutation import Mutation
from schema.query import Query, Subscription
from schema.scalars import SCALARS


def build_schema() -> Schema:
    """Make the Strawberry schema; nothing is resolved yet (see `resolvers.binding`)."""
    return Schema(
        query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(scalar_map=SCALARS)
    )


def graphql_schema(schema: Schema) -> GraphQLSchema:
    """The graphql-core schema inside, which documents are validated and executed against."""
    inner = schema._schema  # noqa: SLF001 - Strawberry offers no public way to it
    assert isinstance(inner, GraphQLSchema)  # noqa: S101 - tells mypy what Strawberry's Any is
    return inner
