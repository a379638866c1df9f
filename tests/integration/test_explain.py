"""The explanation of a query's execution, for the platform only."""

from typing import Any

import pytest

from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.clock import NEVER
from core.errors import BadUserInputError, ForbiddenError
from demo import load_demo_viewers
from resolvers.context import RequestContext
from resolvers.executor import execute_operation
from resolvers.sql.data_access import DataAccess
from services.users.sign_in import sign_in
from tests.graphql_harness import GraphqlHarness
from tests.operations import validate_text

QUERY = '{ sites(first: 2, where: {name: {contains: "x)("}}) { totalCount nodes { name tenant { name } } } }'
UNCOMPILED = "{ __schema { queryType { name } } }"


async def execute_with_extensions(
    graphql_harness: GraphqlHarness, kind: ViewerKind, query: str, **extensions: Any
) -> tuple[dict[str, Any], RequestContext]:
    async with graphql_harness.database.pool.acquire() as connection:
        user = (await load_demo_viewers(connection))[0].user_id
        tenant = await connection.fetchval("SELECT tenant_id FROM users WHERE id = $1", user)
    platform = kind is ViewerKind.PLATFORM
    async with graphql_harness.database.read_transaction(platform=platform) as snapshot:
        identity = Identity(kind, "platform" if platform else user, NEVER)
        viewer = await sign_in(snapshot.connection, identity, tenant if platform else None)
        operation = RequestContext(viewer, DataAccess(viewer, snapshot))
        executable = validate_text(graphql_harness._document_cache, query, extensions=extensions)
        return await execute_operation(executable, operation), operation


async def test_explain_by_platform_returns_sql_arguments_and_plan(graphql_harness: GraphqlHarness) -> None:
    response, operation = await execute_with_extensions(
        graphql_harness, ViewerKind.PLATFORM, QUERY, explain=True
    )
    explained = response["extensions"]["explain"]["sites"]
    assert operation.strategy == "compiled"
    assert explained["sql"][0].startswith("SELECT")
    assert any(line.strip().startswith("FROM sites") for line in explained["sql"])
    assert "x)(" in explained["arguments"]
    assert any("sites" in line and "Scan" in line for line in explained["plan"])
    assert " ".join(" ".join(explained["sql"]).split()).count("(") == "".join(explained["sql"]).count("(")


async def test_strategy_forced_by_platform_is_used(graphql_harness: GraphqlHarness) -> None:
    through_loaders, loaded = await execute_with_extensions(
        graphql_harness, ViewerKind.PLATFORM, QUERY, way="loaders"
    )
    compiled, not_loaded = await execute_with_extensions(
        graphql_harness, ViewerKind.PLATFORM, QUERY, way="compiled"
    )
    assert (loaded.strategy, not_loaded.strategy) == ("loaders", "compiled")
    assert through_loaders["data"].keys() == compiled["data"].keys()


async def test_strategy_of_introspection_with_compiled_field_is_mixed(
    graphql_harness: GraphqlHarness,
) -> None:
    response, operation = await execute_with_extensions(
        graphql_harness, ViewerKind.USER, "{ __schema { queryType { name } } viewer { kind } }"
    )
    assert operation.strategy == "mixed"
    assert list(response["data"]) == ["__schema", "viewer"]


async def test_strategy_compiled_forced_on_uncompilable_query_is_refused(
    graphql_harness: GraphqlHarness,
) -> None:
    with pytest.raises(BadUserInputError, match="cannot be compiled"):
        await execute_with_extensions(graphql_harness, ViewerKind.PLATFORM, UNCOMPILED, way="compiled")


async def test_strategy_of_unknown_name_is_refused(graphql_harness: GraphqlHarness) -> None:
    with pytest.raises(BadUserInputError, match="one of auto, compiled, loaders"):
        await execute_with_extensions(graphql_harness, ViewerKind.PLATFORM, QUERY, way="magic")


@pytest.mark.parametrize("extensions", [{"explain": True}, {"way": "loaders"}])
async def test_explain_or_strategy_by_user_is_forbidden(
    graphql_harness: GraphqlHarness, extensions: dict[str, Any]
) -> None:
    with pytest.raises(ForbiddenError, match="Only the platform"):
        await execute_with_extensions(graphql_harness, ViewerKind.USER, QUERY, **extensions)
