"""Access rules: which tables a viewer may read, and which of their rows. Data access and filters apply them."""

from core.auth.viewer import Viewer, ViewerKind, ViewerOf
from core.errors import BadUserInputError, ForbiddenError, build_missing_token_error
from resolvers.sql.parameters import Param, Parameters
from schema.table import Column, Scope, Table
from schema.tables import BY_NAME

QueryViewer = ViewerOf[str | Param]
"""The viewer of a statement. In a plan its tenant is a parameter."""

_GLOBAL_ROWS_SQL = {"roles", "audit_log", "issued_credentials"}
"""Tables with rows of tenants and rows without tenant. The platform sees the latter if it names no tenant."""


_NO_TENANT_SQL = "`{}` belong to a tenant: name one in the header X-Tenant-Id"


def require_viewer(viewer: Viewer | None) -> Viewer:
    """Return the viewer, or refuse an anonymous caller.

    Raises:
        UnauthenticatedError: No viewer is signed in.
    """
    if viewer is None:
        raise build_missing_token_error()
    return viewer


def require_right(viewer: QueryViewer, table: Table) -> None:
    """Check that the viewer may read the table.

    Raises:
        ForbiddenError: The viewer lacks the right, or only the platform may read the table.
    """
    if table.scope is Scope.PLATFORM and viewer.kind is not ViewerKind.PLATFORM:
        raise ForbiddenError(f"Only the platform may read `{table.many}`")
    if not viewer.has_right(table.right):
        raise ForbiddenError(f"Reading `{table.many}` requires the right {table.right}", table.right)


def require_column(viewer: QueryViewer, table: Table, column: Column) -> None:
    """Check that the viewer may read all rows from which a column of the table is computed.

    Raises:
        ForbiddenError: The viewer lacks the right to these rows.
        BadUserInputError: These rows belong to a tenant, the table's rows do not, and no tenant is named.
    """
    for dependency in column.options.dependencies:
        target = BY_NAME[dependency.table]
        if target.scope is not Scope.ITSELF or viewer.kind is not ViewerKind.USER:
            require_right(viewer, target)
        if viewer.tenant_id is None and target.scope is Scope.TENANT and table.scope is Scope.EVERYONE:
            raise BadUserInputError(_NO_TENANT_SQL.format(target.many))


def require_deleted(viewer: QueryViewer, table: Table) -> None:
    """Check that the viewer may see the table's deleted rows.

    Raises:
        ForbiddenError: The viewer lacks the right to restore them.
    """
    if not viewer.has_right(table.deleted_right):
        raise ForbiddenError(
            f"Reading deleted rows of `{table.many}` requires the right {table.deleted_right}",
            table.deleted_right,
        )


def find_own_id(viewer: Viewer, table: Table) -> str | None:
    """The id of the one row that the viewer may read without a right: their own user, role or tenant."""
    match table.name:
        case "users":
            return viewer.user_id
        case "roles":
            return viewer.role_id
        case "tenants" if viewer.kind is ViewerKind.USER:
            return viewer.tenant_id
    return None


def build_tenant_conditions(
    viewer: QueryViewer, table: Table, alias: str, parameters: Parameters
) -> list[str]:
    """The SQL conditions that limit a statement to the viewer's rows. This is the application's own filter.

    Row-level security enforces the same again.

    Raises:
        BadUserInputError: The platform reads a tenant's rows and names no tenant.
    """
    match table.scope:
        case Scope.EVERYONE | Scope.PLATFORM:
            return []
        case Scope.ITSELF:
            if viewer.kind is ViewerKind.PLATFORM:
                return []
            return [f"{alias}.id = {parameters.bind_once(viewer.tenant_id)}"]
        case _:
            return [_tenant_condition(viewer, table, alias, parameters)]


def _tenant_condition(viewer: QueryViewer, table: Table, alias: str, parameters: Parameters) -> str:
    if viewer.tenant_id is None:
        if table.name in _GLOBAL_ROWS_SQL:
            return f"{alias}.tenant_id IS NULL"
        raise BadUserInputError(_NO_TENANT_SQL.format(table.many))
    own = f"{alias}.tenant_id = {parameters.bind_once(viewer.tenant_id)}"
    return f"({own} OR {alias}.tenant_id IS NULL)" if table.scope is Scope.TENANT_OR_GLOBAL else own
