"""Who may read a table, and which of its rows: the rules of the one door, and of filters that look into others."""

from core.errors import BadUserInputError, ForbiddenError, UnauthenticatedError
from core.viewer import Viewer, ViewerKind
from resolvers.parameters import Parameters
from schema.table import Column, Scope, Table
from schema.tables import BY_NAME

_TENANTLESS_ROWS = {"roles", "audit_log"}
"""Tables of tenants in which some rows have none; a platform that names no tenant sees those."""


_NO_TENANT = "`{}` belong to a tenant: name one by the header X-Tenant-Id"


def require_viewer(viewer: Viewer | None) -> Viewer:
    """The viewer, who must be there.

    Raises:
        UnauthenticatedError: Nobody is signed in.
    """
    if viewer is None:
        raise UnauthenticatedError("Sign in: send a bearer token")
    return viewer


def require_right(viewer: Viewer, table: Table) -> None:
    """Make sure that the viewer may read the table.

    Raises:
        ForbiddenError: The viewer lacks the right, or the table is the platform's.
    """
    if table.scope is Scope.PLATFORM and viewer.kind is not ViewerKind.PLATFORM:
        raise ForbiddenError(f"`{table.many}` is for the platform alone")
    if not viewer.may(table.right):
        raise ForbiddenError(f"Reading `{table.many}` takes the right {table.right}")


def require_column(viewer: Viewer, table: Table, column: Column) -> None:
    """Make sure that the viewer may read what a column of the table is computed from.

    Raises:
        ForbiddenError: The viewer lacks the right to rows that it looks into.
        BadUserInputError: Those belong to a tenant, as rows of the table do not, and none is named.
    """
    for look in column.options.looks:
        target = BY_NAME[look.table]
        if target.scope is not Scope.ITSELF or viewer.kind is not ViewerKind.USER:
            require_right(viewer, target)
        if viewer.tenant_id is None and target.scope is Scope.TENANT and table.scope is Scope.EVERYONE:
            raise BadUserInputError(_NO_TENANT.format(target.many))


def require_deleted(viewer: Viewer, table: Table) -> None:
    """Make sure that the viewer may see the table's deleted rows.

    Raises:
        ForbiddenError: The viewer lacks the right to restore them.
    """
    if not viewer.may(table.deleted_right):
        raise ForbiddenError(f"Seeing deleted rows of `{table.many}` takes the right {table.deleted_right}")


def own_id(viewer: Viewer, table: Table) -> str | None:
    """The one row that everyone may read without a right: their own user, role and tenant."""
    match table.name:
        case "users":
            return viewer.user_id
        case "roles":
            return viewer.role_id
        case "tenants" if viewer.kind is ViewerKind.USER:
            return viewer.tenant_id
    return None


def scope(viewer: Viewer, table: Table, alias: str, parameters: Parameters) -> list[str]:
    """The SQL conditions that keep a statement inside of what is the viewer's: the application's own filter.

    Row-level security says the same once more.

    Raises:
        BadUserInputError: The platform asks for a tenant's rows and names no tenant.
    """
    match table.scope:
        case Scope.EVERYONE | Scope.PLATFORM:
            return []
        case Scope.ITSELF:
            if viewer.kind is ViewerKind.PLATFORM:
                return []
            return [f"{alias}.id = {parameters.share(viewer.tenant_id)}"]
        case _:
            return [_tenant(viewer, table, alias, parameters)]


def _tenant(viewer: Viewer, table: Table, alias: str, parameters: Parameters) -> str:
    if viewer.tenant_id is None:
        if table.name in _TENANTLESS_ROWS:
            return f"{alias}.tenant_id IS NULL"
        raise BadUserInputError(_NO_TENANT.format(table.many))
    own = f"{alias}.tenant_id = {parameters.share(viewer.tenant_id)}"
    return f"({own} OR {alias}.tenant_id IS NULL)" if table.scope is Scope.TENANT_OR_GLOBAL else own
