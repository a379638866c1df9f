"""The mutations in addition to create, update, delete and restore: single-click actions of dashboards."""

from typing import Final

from strawberry.scalars import ID, JSON

from core.errors import require_within_limit
from core.limits import WRITE_ROWS_MAX
from models.enums import UserStatus
from schema.agents import AGENTS
from schema.connections import argument
from schema.core import SITES, USERS
from schema.integrations import DATA_SOURCE_TO_SITE, DATA_SOURCES
from schema.mutation_field import IF_UPDATED_AT, Arguments, MutationField, row_id, row_ids
from schema.scalars import Timestamp
from services.writes.agents import move_agents
from services.writes.companies import create_site_from_company, link_site, unlink_site
from services.writes.integration_connections import disable_integration, enable_integration, unmap_data_source
from services.writes.preferences import set_current_site
from services.writes.record import Row
from services.writes.records import RECORDS
from services.writes.row_changes import create_row, update_rows
from services.writes.write_context import WriteContext

_PSA: Final = argument("integration_id", ID, "The id of the PSA integration.")
_COMPANY: Final = argument("company_id", str, "The id of the company in the PSA.")
_INTEGRATION: Final = argument("integration_id", ID, "The id of the integration.")
_SOURCE: Final = argument("data_source_id", ID, "The id of the data source.")
_SITE: Final = argument("site_id", ID, "The id of the site.")
_ROLE: Final = argument("role_id", ID, "The id of the role. It must not grant a right that the viewer lacks.")


def _list_id(row: Row) -> list[str]:
    return [row["id"]]


async def _move_agent(writing: WriteContext, given: Arguments) -> list[str]:
    return _list_id((await move_agents(writing, [given["id"]], given["site_id"]))[0])


async def _move_agents(writing: WriteContext, given: Arguments) -> list[str]:
    require_within_limit("writtenRows", WRITE_ROWS_MAX, len(given["ids"]), "rows to write")
    return [row["id"] for row in await move_agents(writing, given["ids"], given["site_id"])]


async def _link_site(writing: WriteContext, given: Arguments) -> list[str]:
    return _list_id(await link_site(writing, given["id"], given["integration_id"], given["company_id"]))


async def _unlink_site(writing: WriteContext, given: Arguments) -> list[str]:
    return _list_id(await unlink_site(writing, given["id"]))


async def _create_site_from_company(writing: WriteContext, given: Arguments) -> list[str]:
    return _list_id(await create_site_from_company(writing, given["integration_id"], given["company_id"]))


async def _enable_integration(writing: WriteContext, given: Arguments) -> list[str]:
    return _list_id(
        await enable_integration(writing, given["integration_id"], given.get("site_id"), given.get("config"))
    )


async def _disable_integration(writing: WriteContext, given: Arguments) -> list[str]:
    rows = await disable_integration(writing, given["integration_id"], given.get("site_id"))
    return [row["id"] for row in rows]


async def _save_config(writing: WriteContext, given: Arguments) -> list[str]:
    values = {name: given[name] for name in ("config", "credential_expiration_at") if name in given}
    record = RECORDS["data_sources"]
    return _list_id(
        (await update_rows(writing, record, [given["id"]], values, given.get("if_updated_at")))[0]
    )


async def _map_data_source(writing: WriteContext, given: Arguments) -> list[str]:
    return _list_id(await create_row(writing, RECORDS["data_source_to_site"], given))


async def _unmap_data_source(writing: WriteContext, given: Arguments) -> list[str]:
    return _list_id(await unmap_data_source(writing, given["data_source_id"], given["site_id"]))


async def _set_current_site(writing: WriteContext, given: Arguments) -> list[str]:
    return _list_id(await set_current_site(writing, given.get("site_id")))


async def _invite_user(writing: WriteContext, given: Arguments) -> list[str]:
    return _list_id(await create_row(writing, RECORDS["users"], {**given, "status": UserStatus.PENDING}))


async def _change_user_role(writing: WriteContext, given: Arguments) -> list[str]:
    wanted = {"role_id": given["role_id"]}
    users = await update_rows(writing, RECORDS["users"], [given["id"]], wanted, given.get("if_updated_at"))
    return _list_id(users[0])


async def _deactivate_users(writing: WriteContext, given: Arguments) -> list[str]:
    wanted = {"status": UserStatus.INACTIVE}
    users = await update_rows(writing, RECORDS["users"], [given["id"]], wanted, given.get("if_updated_at"))
    return _list_id(users[0])


CUSTOM_MUTATIONS: Final[tuple[MutationField, ...]] = (
    MutationField(
        name="moveAgent",
        about="Moves an Agent to another site of its tenant. Requires the right `Agents.Write`.",
        arguments=[row_id(AGENTS), argument("site_id", ID, "The id of the new site.")],
        run=_move_agent,
        table=AGENTS,
    ),
    MutationField(
        name="moveAgents",
        about="Moves many `agents` to one site: all or none. Requires the right `Agents.Write`.",
        arguments=[row_ids(AGENTS), argument("site_id", ID, "The id of the new site.")],
        run=_move_agents,
        table=AGENTS,
        many=True,
    ),
    MutationField(
        name="linkSite",
        about=(
            "Links a Site to a company of a PSA. A site that was linked to this company is unlinked. "
            "Requires the right `Sites.Write`."
        ),
        arguments=[row_id(SITES), _PSA, _COMPANY],
        run=_link_site,
        table=SITES,
    ),
    MutationField(
        name="unlinkSite",
        about="Unlinks a Site from its company. Requires the right `Sites.Write`.",
        arguments=[row_id(SITES)],
        run=_unlink_site,
        table=SITES,
    ),
    MutationField(
        name="createSiteFromCompany",
        about=(
            "Creates a Site for a company of a PSA, with the name of the company. The error is CONFLICT if "
            "the company has a site. Requires the right `Sites.Write`."
        ),
        arguments=[_PSA, _COMPANY],
        run=_create_site_from_company,
        table=SITES,
    ),
    MutationField(
        name="enableIntegration",
        about=(
            "Enables an integration: creates its data source, or restores the former one with its values. "
            "Requires the right `DataSources.Write`."
        ),
        arguments=[
            _INTEGRATION,
            argument("site_id", ID | None, "The id of the only site that it serves; null for the whole tenant."),
            argument(
                "config", JSON | None,
                "The configuration of the connection to the vendor. If omitted, it keeps the former one.",
            ),
        ],
        run=_enable_integration,
        table=DATA_SOURCES,
    ),
    MutationField(
        name="saveDataSourceConfig",
        about=(
            "Saves the configuration of the connection to a vendor. A secret that is omitted, blank or "
            '`{"secret": true}` keeps its value. It must be given again if a value changes that decides '
            "where the secret is sent. Requires the right `DataSources.Write`."
        ),
        arguments=[
            row_id(DATA_SOURCES),
            argument("config", JSON, "The config. It must match the `configSchema` of the integration."),
            argument(
                "credential_expiration_at", Timestamp | None,
                "The expiry time of the credentials; null if they never expire. If omitted, it keeps its value.",
            ),
            IF_UPDATED_AT,
        ],
        run=_save_config,
        table=DATA_SOURCES,
    ),
    MutationField(
        name="disableIntegration",
        about=(
            "Disables an integration: its data sources become inactive and deleted. They are kept for seven "
            "days. Until then the integration can be enabled again with all its values. Requires the right "
            "`DataSources.Write`."
        ),
        arguments=[
            _INTEGRATION,
            argument("site_id", ID | None, "The id of the only site for which it is disabled; null for all."),
        ],
        run=_disable_integration,
        table=DATA_SOURCES,
        many=True,
    ),
    MutationField(
        name="mapDataSourceToSite",
        about=(
            "Maps a data source to a further site. The error is CONFLICT if it is mapped already. Requires "
            "the right `Sites.Write`."
        ),
        arguments=[_SOURCE, _SITE],
        run=_map_data_source,
        table=DATA_SOURCE_TO_SITE,
    ),
    MutationField(
        name="unmapDataSourceFromSite",
        about="Removes the mapping of a data source to a site. Requires the right `Sites.Write`.",
        arguments=[_SOURCE, _SITE],
        run=_unmap_data_source,
        table=DATA_SOURCE_TO_SITE,
    ),
    MutationField(
        name="setCurrentSite",
        about=(
            "Saves the site that the viewer has selected in the dashboard, as `current_site` of the "
            "metadata. The viewer must be a user."
        ),
        arguments=[argument("site_id", ID | None, "The id of the site; null for none.")],
        run=_set_current_site,
        table=USERS,
    ),
    MutationField(
        name="inviteUser",
        about=(
            "Invites a person: creates a User with the status PENDING. The person accepts by "
            "`acceptInvitation`, if the identity provider has verified this e-mail address. The other way is "
            "a code of `createInvitationCode`. Requires the right `Users.Write`."
        ),
        arguments=[
            argument("email", str, "The e-mail address of the person."),
            argument("name", str, "The name of the person."),
            _ROLE,
        ],
        run=_invite_user,
        table=USERS,
    ),
    MutationField(
        name="changeUserRole",
        about="Changes the role of a User. Requires the right `Users.Write`.",
        arguments=[row_id(USERS), _ROLE, IF_UPDATED_AT],
        run=_change_user_role,
        table=USERS,
    ),
    MutationField(
        name="deactivateUser",
        about="Deactivates a User. The user loses access at once. Requires the right `Users.Write`.",
        arguments=[row_id(USERS), IF_UPDATED_AT],
        run=_deactivate_users,
        table=USERS,
    ),
)  # fmt: skip
"""The custom verbs, in addition to the mutations that are derived from the tables' records."""
