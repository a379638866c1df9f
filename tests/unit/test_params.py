"""The parameters of plans: they can be bound, and everything else is an error."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from core.auth.rights import RIGHTS
from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from core.errors import BadUserInputError
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.compiler.plan import TENANT_SOURCE, OperationPlans
from resolvers.compiler.planner import Planner
from resolvers.documents.cache import DocumentCache
from resolvers.loaders.bindings import build_executable_schema
from resolvers.queries import coerce_query_variables
from resolvers.request import GraphQLRequest
from resolvers.sql.parameters import Param, Parameters

SCHEMA = build_executable_schema()[1]
USER = Viewer(ViewerKind.USER, "tenant-1", "user", "role", RIGHTS, NEVER)
PLATFORM = Viewer(ViewerKind.PLATFORM, "tenant-1", None, None, RIGHTS, NEVER)
OPERATIONS: dict[str, Callable[[Any], object]] = {
    "lower": lambda value: value.lower(),
    "strip": lambda value: value.strip(),
    "slice": lambda value: value[:1],
    "format": lambda value: f"{value}",
    "percent": lambda value: "%s" % value,  # noqa: UP031 - the operation that is tested
    "str": str,
    "join": lambda value: "".join([value]),
    "concatenation": lambda value: "a" + value,
    "length": len,
    "iteration": list,
    "truth": bool,
    "addition": lambda value: value + 1,
    "int": int,
    "comparison": lambda value: value < value,
    "json": json.dumps,
}


def plan_query(text: str, viewer: Viewer = USER, **variables: Any) -> OperationPlans:
    document = DocumentCache(SCHEMA).get_or_parse(text)
    assert document.syntax is not None
    executable = ExecutableOperation(
        SCHEMA,
        GraphQLRequest(text, variables, None),
        document.syntax,
        document.operations[0],
        document.plans,
        cost=0,
    )
    coerced = coerce_query_variables(executable)
    assert coerced is not None
    planned = Planner(executable, viewer, coerced).plan()
    assert planned is not None
    return planned


@pytest.mark.parametrize("value", ["Text", 1], ids=["text", "number"])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_param_operation_on_it_is_an_error(operation: Callable[[Any], object], value: str | int) -> None:
    with pytest.raises((TypeError, AttributeError)):
        operation(Param("id", value))


def test_param_is_no_text_and_no_number() -> None:
    assert not isinstance(Param("id", "x"), str)
    assert not isinstance(Param("id", 1), int)
    assert Param("id", "x") != "x"


def test_parameters_params_of_one_source_are_bound_once() -> None:
    parameters = Parameters()
    first, again = parameters.bind_once(Param("tenant", "t1")), parameters.bind_once(Param("tenant", "t1"))
    assert first == again == "$1::text"
    assert parameters.bind_once(Param("other", "t1")) == "$2::text"
    assert parameters.values == [Param("tenant", "t1"), Param("other", "t1")]


def test_parameters_list_with_param_is_refused() -> None:
    with pytest.raises(TypeError, match="list"):
        Parameters().add(["x", Param("id", "y")], "text[]")


@pytest.mark.parametrize("value", ["\x00", "\ud800"])
def test_parameters_unstorable_value_of_param_is_refused(value: str) -> None:
    with pytest.raises(BadUserInputError):
        Parameters().add(Param("id", value))


def test_planner_shared_plan_has_params_for_tenant_and_variables() -> None:
    planned = plan_query(
        """query ($id: ID!, $name: String, $search: String) {
             site(id: $id) { agents(search: $search, where: {hostname: {contains: $name}}) { totalCount } } }""",
        id="site-1",
        name="host",
        search="needle",
    )
    plan = planned.plans["site"]
    assert planned.is_reusable
    assert plan is not None
    assert {(type(a), a.source) for a in plan.statement.arguments if isinstance(a, Param)} == {
        (Param, source) for source in ("id", "name", "search", TENANT_SOURCE)
    }
    assert not any(isinstance(argument, str | int) for argument in plan.statement.arguments)
    values = {"id": "site-2", "name": "b", "search": "c", TENANT_SOURCE: "tenant-2"}
    assert set(plan.bind_values(values).arguments) == set(values.values())


@pytest.mark.parametrize(("viewer", "expected"), [(USER, "user:user"), (PLATFORM, "platform:tenant-1")])
def test_planner_plan_with_viewer_id_has_its_value_and_is_not_shared(viewer: Viewer, expected: str) -> None:
    planned = plan_query("{ viewer { id } }", viewer)
    plan = planned.plans["viewer"]
    assert not planned.is_reusable
    assert plan is not None
    assert list(plan.statement.arguments) == [expected]
