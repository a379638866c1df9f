"""The first rows of a database: the catalog, the global roles, a tenant and its administrator.

Everything is written in one transaction, by the functions of the platform's mutations, with their audit rows.
What is there already stays as it is, so that a bootstrap may be repeated.
"""

from dataclasses import dataclass, replace
from typing import Final

from core.auth.rights import RIGHTS
from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from core.database.database import Database, Record
from core.database.transactions import WriteTransaction, run_in_transaction
from core.encryption import SecretKeys
from core.errors import ConflictError, UnavailableError
from models.enums import TenantStatus, UserStatus
from services.catalog.role_updates import RoleUpdate, update_roles
from services.catalog.roles import ADMINISTRATOR
from services.catalog.update import CatalogUpdate, update_catalog
from services.users.invitations import InvitationCode, issue_invitation_code
from services.writes.administrator_rules import grants_administration
from services.writes.records import RECORDS
from services.writes.row_changes import create_row
from services.writes.write_context import WriteContext

_LOCK: Final = 0x6D73705F626F6F74
"""The advisory lock of a bootstrap: "msp_boot" in ASCII."""

_ZONE: Final = "SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = $1::text)"
_ADMINISTRATORS_ROLE: Final = """
SELECT r.id, r.name, r.rights::text AS rights
FROM public.roles r LEFT JOIN app.shipped_roles k ON k.role_id = r.id
WHERE r.tenant_id IS NULL AND r.deleted_at IS NULL AND $1::text IN (k.name, r.name)
ORDER BY k.name IS NOT DISTINCT FROM $1::text DESC, r.created_at, r.id
LIMIT 1
"""
_TENANTS: Final = "SELECT id, status FROM public.tenants WHERE name = $1::text AND deleted_at IS NULL"
_USER: Final = """
SELECT u.id, u.tenant_id, u.status, u.email, r.rights::text AS rights
FROM public.users u JOIN public.roles r ON r.id = u.role_id
WHERE u.deleted_at IS NULL
"""
_BY_ID: Final = f"{_USER} AND u.id = $1::text"
_BY_EMAIL: Final = f"""
{_USER} AND u.tenant_id = $1::text AND app.email_identity(u.email) = app.email_identity($2::text)
"""


@dataclass(frozen=True, slots=True)
class BootstrapPlan:
    """What a bootstrap is to create.

    Attributes:
        tenant: The tenant's name.
        email: The administrator's e-mail address.
        name: The administrator's name.
        subject: The `sub` of the administrator's tokens; None to invite the administrator by a code.
        timezone: The tenant's time zone, by its IANA name, if any.
    """

    tenant: str
    email: str
    name: str
    subject: str | None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class BootstrapResult:
    """What is there after a bootstrap. Each `new_` says what it has created.

    Attributes:
        invitation: The code for an invited administrator; None if the administrator can sign in already.
    """

    catalog: CatalogUpdate
    roles: RoleUpdate
    tenant_id: str
    new_tenant: bool
    user_id: str
    new_user: bool
    invitation: InvitationCode | None


async def bootstrap(database: Database, keys: SecretKeys, plan: BootstrapPlan) -> BootstrapResult:
    """Create what is missing: all of it or nothing.

    Raises:
        ConflictError: A row that is there contradicts the plan. The message says which one.
        ProductError: A value of the plan is invalid.
        UnavailableError: An import is running, or the database is unavailable.
    """

    async def bootstrap_in_transaction(transaction: WriteTransaction) -> BootstrapResult:
        return await _create_missing(WriteContext(_build_operator(None), transaction, keys), plan)

    return await run_in_transaction(database, bootstrap_in_transaction, platform=True)


def _build_operator(tenant_id: str | None) -> Viewer:
    """The operator at the command line, who acts as the platform."""
    return Viewer(ViewerKind.PLATFORM, tenant_id, None, None, RIGHTS, NEVER)


async def _create_missing(writing: WriteContext, plan: BootstrapPlan) -> BootstrapResult:
    await writing.fetch_rows("SELECT pg_advisory_xact_lock($1)", _LOCK)
    catalog = await update_catalog(writing.transaction.connection)
    if catalog is None:
        raise UnavailableError("An import into this database is running. Try again when it has ended.")
    roles = await update_roles(writing.transaction.connection, create=True)
    tenant_id, new_tenant = await _ensure_tenant(writing, plan)
    inside = replace(writing, viewer=_build_operator(tenant_id))
    user, new_user = await _ensure_administrator(inside, plan)
    invitation = None
    if user["status"] == UserStatus.PENDING:
        invitation = await issue_invitation_code(inside, user["id"])
    return BootstrapResult(catalog, roles, tenant_id, new_tenant, user["id"], new_user, invitation)


async def _ensure_tenant(writing: WriteContext, plan: BootstrapPlan) -> tuple[str, bool]:
    if plan.timezone is not None and not await writing.fetch_value(_ZONE, plan.timezone):
        raise ConflictError(f"There is no time zone {plan.timezone!r}. An example of one: Europe/Berlin")
    found = await writing.fetch_rows(_TENANTS, plan.tenant)
    if len(found) > 1:
        raise ConflictError(f"There are {len(found)} tenants named {plan.tenant!r}; use another name")
    if found and found[0]["status"] != TenantStatus.ACTIVE:
        raise ConflictError(f"The tenant {plan.tenant!r} is {found[0]['status']}: nobody can sign in to it")
    if found:
        return str(found[0]["id"]), False
    given = {"name": plan.tenant, "metadata": {"timezone": plan.timezone} if plan.timezone else None}
    return str((await create_row(writing, RECORDS["tenants"], given))["id"]), True


async def _ensure_administrator(writing: WriteContext, plan: BootstrapPlan) -> tuple[Record, bool]:
    user = await _find_user(writing, plan)
    if user is not None:
        _require_administrator(writing, plan, user)
        return user, False
    given = {
        **({} if plan.subject is None else {"id": plan.subject}),
        "email": plan.email,
        "name": plan.name,
        "role_id": await _find_administrators_role(writing),
    }
    created = await create_row(writing, RECORDS["users"], given)
    (row,) = await writing.fetch_rows(_BY_ID, created["id"])
    return row, True


async def _find_user(writing: WriteContext, plan: BootstrapPlan) -> Record | None:
    of_email = await writing.fetch_row(_BY_EMAIL, writing.require_tenant(), plan.email)
    if plan.subject is None:
        return of_email
    if of_email is not None and of_email["id"] != plan.subject:
        raise ConflictError(f"The user {of_email['id']!r} of this tenant has the address {plan.email!r}")
    return await writing.fetch_row(_BY_ID, plan.subject)


def _require_administrator(writing: WriteContext, plan: BootstrapPlan, user: Record) -> None:
    if user["tenant_id"] != writing.viewer.tenant_id:
        raise ConflictError(f"The user {user['id']!r} belongs to another tenant ({user['tenant_id']})")
    if not grants_administration(user["rights"]):
        raise ConflictError(
            f"The user {user['id']!r} is there and is no administrator; change the role first"
        )
    allowed = {UserStatus.ACTIVE} if plan.subject is not None else {UserStatus.ACTIVE, UserStatus.PENDING}
    if user["status"] not in allowed:
        raise ConflictError(f"The user {user['id']!r} is there and is {user['status']}; activate it first")


async def _find_administrators_role(writing: WriteContext) -> str:
    """The shipped role, also if the platform has renamed it."""
    (role,) = await writing.fetch_rows(_ADMINISTRATORS_ROLE, ADMINISTRATOR)
    if not grants_administration(role["rights"]):
        raise ConflictError(f"The global role {role['name']!r} lacks the right Global.Admin")
    return str(role["id"])
