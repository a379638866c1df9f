"""Builds the GraphQL schema from the declarations."""

from graphql import GraphQLSchema
from strawberry import Schema
from strawberry.schema.config import StrawberryConfig

from schema.mutation import Mutation
from schema.query import Query, Subscription
from schema.scalars import SCALARS


def build_schema() -> Schema:
    """Build the Strawberry schema, without resolvers yet (see `resolvers.loaders.bindings`)."""
    return Schema(
        query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(scalar_map=SCALARS)
    )


def build_graphql_schema(schema: Schema) -> GraphQLSchema:
    """The graphql-core schema inside, which validation and execution use."""
    inner = schema._schema  # noqa: SLF001 - Strawberry has no public access to it
    assert isinstance(inner, GraphQLSchema)  # noqa: S101 - narrows the Any of Strawberry for mypy
    return inner
