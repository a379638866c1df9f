"""Validated operations of GraphQL texts, as the server makes them."""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLSchema

from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.documents.cache import Document, DocumentCache
from resolvers.documents.validation import validate_operation
from resolvers.request import GraphQLRequest


def validate_request(
    schema: GraphQLSchema, document: Document, request: GraphQLRequest
) -> ExecutableOperation:
    """The operation of a request; raises RefusedOperationError if it must not run."""
    return validate_operation(schema, document, document.find_operation(request.operation_name), request)


def validate_text(
    documents: DocumentCache,
    text: str,
    variables: Mapping[str, Any] | None = None,
    operation_name: str | None = None,
    extensions: Mapping[str, Any] | None = None,
) -> ExecutableOperation:
    """The operation of a text; raises RefusedOperationError if it must not run."""
    request = GraphQLRequest(text, variables or {}, operation_name, extensions or {})
    return validate_request(documents._schema, documents.get_or_parse(text), request)
