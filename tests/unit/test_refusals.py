"""What clients are told of the database's own refusals."""

from typing import Any

import asyncpg
import pytest

from core.errors import BadUserInputError, ConflictError, ForbiddenError
from services.writes.refusals import refusal_of


def failed(kind: type[asyncpg.PostgresError], message: str = "x", **told: str) -> asyncpg.PostgresError:
    error = kind(message)
    for name in ("constraint_name", "table_name", "column_name"):
        setattr(error, name, told.get(name))
    return error


@pytest.mark.parametrize(
    ("kind", "told", "expected", "fields"),
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
def test_it_is_the_clients(
    kind: type[asyncpg.PostgresError], told: dict[str, str], expected: type[Any], fields: list[str]
) -> None:
    refusal = refusal_of(failed(kind, **told))
    assert isinstance(refusal, expected)
    assert list(refusal.fields) == fields


def test_a_policys_refusal_is_the_viewers() -> None:
    message = 'new row violates row-level security policy for table "sites"'
    assert isinstance(refusal_of(failed(asyncpg.InsufficientPrivilegeError, message)), ForbiddenError)


@pytest.mark.parametrize(
    "error",
    [
        failed(asyncpg.InsufficientPrivilegeError, "permission denied for table sites"),
        failed(asyncpg.DivisionByZeroError),
        failed(asyncpg.UndefinedColumnError),
        RuntimeError(),
    ],
)
def test_what_is_our_own_fault_is_not_told(error: BaseException) -> None:
    assert refusal_of(error) is None
