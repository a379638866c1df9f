"""Errors about a document or its variables name the problem, and quote no value of the client's."""

from typing import Any

import pytest
from graphql import GraphQLError

from resolvers.context import RequestContext
from resolvers.documents.cache import DocumentCache
from resolvers.error_redaction import redact_message
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.executor import execute_operation
from resolvers.graphql_errors import render_error
from resolvers.loaders.bindings import build_executable_schema
from tests.operations import validate_text

SCHEMA = build_executable_schema()[1]
HIDDEN = "hunter2"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('mutation { deleteSite(id: {a: "hunter2"}) { id } }', "ID cannot represent"),
        ('{ sites(first: "hunter2") { totalCount } }', "Int cannot represent non-integer value."),
        (
            '{ sites(includeDeleted: "hunter2") { totalCount } }',
            "Boolean cannot represent a non boolean value.",
        ),
        (
            'mutation { deleteSite(id: 1, ifUpdatedAt: "hunter2") { id } }',
            "Invalid Timestamp: it must be an integer",
        ),
        ('mutation { createSite(input: {name: "hunter2", nothing: 1}) { id } }', "'nothing'"),
        ('mutation { createSite(input: "hunter2") { id } }', "to be an object."),
        ('{ sites "hunter2" { totalCount } }', "found String."),
        ('{ sites """hunter2" and more""" { totalCount } }', "found BlockString."),
        ('"hunter2"', "Unexpected"),
    ],
)
async def test_error_message_about_document_has_no_client_value(query: str, expected: str) -> None:
    document = DocumentCache(SCHEMA).get_or_parse(query)
    messages = [str(render_error(error)["message"]) for error in document.errors]
    assert expected in messages[0]
    assert HIDDEN not in "".join(messages)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": HIDDEN, "nothing": 1}, "unknown field 'nothing'."),
        ({"name": "a", "metadat": HIDDEN}, "Did you mean 'metadata'."),
        ({"metadata": {"key": HIDDEN}}, "required field 'name'."),
        ({"name": [HIDDEN]}, "String cannot represent a non string value."),
        ({"name": "a", "status": [HIDDEN]}, "Enum 'SiteStatus' cannot represent non-string value."),
        ([HIDDEN], "to be an object."),
    ],
)
async def test_error_message_about_variables_has_no_client_value(given: Any, expected: str) -> None:
    query = "mutation ($input: CreateSiteInput!) { createSite(input: $input) { id } }"
    operation = validate_text(DocumentCache(SCHEMA), query, {"input": given})
    answer = await execute_operation(operation, RequestContext(None, None), ExecutionStrategy.AUTO)
    messages = [error["message"] for error in answer["errors"]]
    assert expected in messages[0]
    assert HIDDEN not in "".join(messages)


@pytest.mark.parametrize(
    "message",
    [
        "Cannot query field 'nothing' on type 'Site'. Did you mean 'name'?",
        "Syntax Error: Expected Name, found '}'.",
    ],
)
def test_error_message_without_client_value_is_unchanged(message: str) -> None:
    assert redact_message(message) == message
    assert render_error(GraphQLError(message))["message"] == message
