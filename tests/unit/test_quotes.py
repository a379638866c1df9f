"""Errors about a document or its variables name what is wrong, and quote no value of the client's."""

from typing import Any

import pytest
from graphql import GraphQLError

from resolvers.binding import bound_schema
from resolvers.documents import Documents
from resolvers.execution import Request, render, run
from resolvers.operation import Operation
from resolvers.quotes import without_quotes
from resolvers.ways import Way

SCHEMA = bound_schema()[1]
HIDDEN = "hunter2"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ('mutation { deleteSite(id: {a: "hunter2"}) { id } }', "ID cannot represent"),
        ('{ sites(first: "hunter2") { totalCount } }', "Int cannot represent non-integer value."),
        (
            '{ sites(includeDeleted: "hunter2") { totalCount } }',
            "Boolean cannot represent a non boolean value.",
        ),
        ('mutation { deleteSite(id: 1, ifUpdatedAt: "hunter2") { id } }', "Timestamp is a whole number"),
        ('mutation { createSite(input: {name: "hunter2", nothing: 1}) { id } }', "'nothing'"),
        ('mutation { createSite(input: "hunter2") { id } }', "to be an object."),
        ('{ sites "hunter2" { totalCount } }', "found String."),
        ('{ sites """hunter2" and more""" { totalCount } }', "found BlockString."),
        ('"hunter2"', "Unexpected"),
    ],
)
async def test_of_a_document(query: str, told: str) -> None:
    document = Documents(SCHEMA).get(query)
    messages = [str(render(error)["message"]) for error in document.errors]
    assert told in messages[0]
    assert HIDDEN not in "".join(messages)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": HIDDEN, "nothing": 1}, "unknown field 'nothing'."),
        ({"name": "a", "metadat": HIDDEN}, "Did you mean 'metadata'."),
        ({"metadata": {"key": HIDDEN}}, "required field 'name'."),
        ({"name": [HIDDEN]}, "String cannot represent a non string value."),
        ({"name": "a", "status": [HIDDEN]}, "Enum 'SiteStatus' cannot represent non-string value."),
        ([HIDDEN], "to be an object."),
    ],
)
async def test_of_variables(given: Any, told: str) -> None:
    query = "mutation ($input: CreateSiteInput!) { createSite(input: $input) { id } }"
    document = Documents(SCHEMA).get(query)
    answer = await run(
        SCHEMA, document, Request(query, {"input": given}, None), Operation(None, None), Way.AUTO
    )
    messages = [error["message"] for error in answer["errors"]]
    assert told in messages[0]
    assert HIDDEN not in "".join(messages)


@pytest.mark.parametrize(
    "message",
    [
        "Cannot query field 'nothing' on type 'Site'. Did you mean 'name'?",
        "Syntax Error: Expected Name, found '}'.",
    ],
)
def test_what_quotes_no_value_stays(message: str) -> None:
    assert without_quotes(message) == message
    assert render(GraphQLError(message))["message"] == message
