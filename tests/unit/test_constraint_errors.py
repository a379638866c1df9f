"""The client errors for constraint errors of the database."""

from typing import Any

import asyncpg
import pytest

from core.errors import BadUserInputError, ConflictError, ForbiddenError
from services.writes.constraint_errors import translate_constraint_error


def build_error(
    kind: type[asyncpg.PostgresError], message: str = "x", **details: str
) -> asyncpg.PostgresError:
    error = kind(message)
    for name in ("constraint_name", "table_name", "column_name"):
        setattr(error, name, details.get(name))
    return error


@pytest.mark.parametrize(
    ("kind", "details", "expected", "fields"),
    [
        (asyncpg.UniqueViolationError, {"constraint_name": "sites_unique_slug"}, ConflictError, ["slug"]),
        (asyncpg.UniqueViolationError, {"constraint_name": "users_pkey"}, ConflictError, ["id"]),
        (asyncpg.UniqueViolationError, {"constraint_name": "others"}, ConflictError, []),
        (
            asyncpg.ForeignKeyViolationError,
            {"table_name": "data_sources", "constraint_name": "data_sources_site_id_fkey"},
            BadUserInputError,
            ["siteId"],
        ),
        (
            asyncpg.ForeignKeyViolationError,
            {"table_name": "users", "constraint_name": "users_role_of_tenant", "column_name": "role_id"},
            BadUserInputError,
            ["roleId"],
        ),
        (
            asyncpg.CheckViolationError,
            {"table_name": "users", "constraint_name": "users_status_check"},
            BadUserInputError,
            ["status"],
        ),
        (asyncpg.CheckViolationError, {"table_name": "users"}, BadUserInputError, []),
        (
            asyncpg.NotNullViolationError,
            {"table_name": "sites", "column_name": "name"},
            BadUserInputError,
            ["name"],
        ),
        (asyncpg.NumericValueOutOfRangeError, {}, BadUserInputError, []),
        (asyncpg.DataError, {}, BadUserInputError, []),
    ],
)
def test_constraint_error_of_client_names_its_fields(
    kind: type[asyncpg.PostgresError], details: dict[str, str], expected: type[Any], fields: list[str]
) -> None:
    refusal = translate_constraint_error(build_error(kind, **details))
    assert isinstance(refusal, expected)
    assert list(refusal.fields) == fields


def test_constraint_error_of_policy_is_forbidden() -> None:
    message = 'new row violates row-level security policy for table "sites"'
    assert isinstance(
        translate_constraint_error(build_error(asyncpg.InsufficientPrivilegeError, message)), ForbiddenError
    )


@pytest.mark.parametrize(
    "error",
    [
        build_error(asyncpg.InsufficientPrivilegeError, "permission denied for table sites"),
        build_error(asyncpg.DivisionByZeroError),
        build_error(asyncpg.UndefinedColumnError),
        RuntimeError(),
    ],
)
def test_constraint_error_of_server_fault_is_none(error: BaseException) -> None:
    assert translate_constraint_error(error) is None
