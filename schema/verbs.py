"""The mutations beside creating, updating, deleting and restoring: what dashboards do by one click."""

from typing import Final

from strawberry.scalars import ID, JSON

from core.errors import refuse_beyond
from core.limits import WRITE_ROWS_MAX
from models.enums import UserStatus
from schema.agents import AGENTS
from schema.connections import argument
from schema.core import SITES, USERS
from schema.integrations import DATA_SOURCE_TO_SITE, DATA_SOURCES
from schema.mutation_field import IF_UPDATED_AT, Arguments, MutationField, row_id, row_ids
from schema.scalars import Timestamp
from services.writes.agents import move_agents
from services.writes.changes import create, update
from services.writes.companies import create_site_from_company, link_site, unlink_site
from services.writes.connections import disable_integration, enable_integration, unmap_data_source
from services.writes.preferences import set_current_site
from services.writes.record import Row
from services.writes.records import RECORDS
from services.writes.writing import Writing

_PSA: Final = argument("integration_id", ID, "The PSA.")
_COMPANY: Final = argument("company_id", str, "The company's id in the PSA.")
_INTEGRATION: Final = argument("integration_id", ID, "Which integration.")
_SOURCE: Final = argument("data_source_id", ID, "The data source.")
_SITE: Final = argument("site_id", ID, "The site.")
_ROLE: Final = argument("role_id", ID, "The role, which must not grant more than the viewer may.")


def _only(row: Row) -> list[str]:
    return [row["id"]]


async def _move_agent(writing: Writing, given: Arguments) -> list[str]:
    return _only((await move_agents(writing, [given["id"]], given["site_id"]))[0])


async def _move_agents(writing: Writing, given: Arguments) -> list[str]:
    refuse_beyond("writtenRows", WRITE_ROWS_MAX, len(given["ids"]), "rows to write")
    return [row["id"] for row in await move_agents(writing, given["ids"], given["site_id"])]


async def _link(writing: Writing, given: Arguments) -> list[str]:
    return _only(await link_site(writing, given["id"], given["integration_id"], given["company_id"]))


async def _unlink(writing: Writing, given: Arguments) -> list[str]:
    return _only(await unlink_site(writing, given["id"]))


async def _create_from_company(writing: Writing, given: Arguments) -> list[str]:
    return _only(await create_site_from_company(writing, given["integration_id"], given["company_id"]))


async def _enable(writing: Writing, given: Arguments) -> list[str]:
    return _only(
        await enable_integration(writing, given["integration_id"], given.get("site_id"), given.get("config"))
    )


async def _disable(writing: Writing, given: Arguments) -> list[str]:
    rows = await disable_integration(writing, given["integration_id"], given.get("site_id"))
    return [row["id"] for row in rows]


async def _save_config(writing: Writing, given: Arguments) -> list[str]:
    values = {
        name: given[name] for name in ("config", "credential_expiration_at") if given.get(name) is not None
    }
    record = RECORDS["data_sources"]
    return _only((await update(writing, record, [given["id"]], values, given.get("if_updated_at")))[0])


async def _map(writing: Writing, given: Arguments) -> list[str]:
    return _only(await create(writing, RECORDS["data_source_to_site"], given))


async def _unmap(writing: Writing, given: Arguments) -> list[str]:
    return _only(await unmap_data_source(writing, given["data_source_id"], given["site_id"]))


async def _set_current_site(writing: Writing, given: Arguments) -> list[str]:
    return _only(await set_current_site(writing, given.get("site_id")))


async def _invite(writing: Writing, given: Arguments) -> list[str]:
    return _only(await create(writing, RECORDS["users"], {**given, "status": UserStatus.PENDING}))


async def _change_role(writing: Writing, given: Arguments) -> list[str]:
    wanted = {"role_id": given["role_id"]}
    users = await update(writing, RECORDS["users"], [given["id"]], wanted, given.get("if_updated_at"))
    return _only(users[0])


async def _deactivate(writing: Writing, given: Arguments) -> list[str]:
    wanted = {"status": UserStatus.INACTIVE}
    users = await update(writing, RECORDS["users"], [given["id"]], wanted, given.get("if_updated_at"))
    return _only(users[0])


VERBS: Final[tuple[MutationField, ...]] = (
    MutationField(
        name="moveAgent",
        about="Move an Agent to another site of its tenant. Takes the right `Agents.Write`.",
        arguments=[row_id(AGENTS), argument("site_id", ID, "Where to.")],
        run=_move_agent,
        table=AGENTS,
    ),
    MutationField(
        name="moveAgents",
        about="Move many `agents` to one site: all of them, or none. Takes the right `Agents.Write`.",
        arguments=[row_ids(AGENTS), argument("site_id", ID, "Where to.")],
        run=_move_agents,
        table=AGENTS,
        many=True,
    ),
    MutationField(
        name="linkSite",
        about="Let a Site stand for a company of a PSA; a site that did before is freed from it. "
        "Takes the right `Sites.Write`.",
        arguments=[row_id(SITES), _PSA, _COMPANY],
        run=_link,
        table=SITES,
    ),
    MutationField(
        name="unlinkSite",
        about="Free a Site from its company. Takes the right `Sites.Write`.",
        arguments=[row_id(SITES)],
        run=_unlink,
        table=SITES,
    ),
    MutationField(
        name="createSiteFromCompany",
        about="Create a Site for a company of a PSA, by the company's name; CONFLICT if it has one. "
        "Takes the right `Sites.Write`.",
        arguments=[_PSA, _COMPANY],
        run=_create_from_company,
        table=SITES,
    ),
    MutationField(
        name="enableIntegration",
        about="Switch an integration on, the first time or again: its data source is made, or brought back with "
        "what it had. Takes the right `DataSources.Write`.",
        arguments=[
            _INTEGRATION,
            argument("site_id", ID | None, "The one site that it is for; null for the whole tenant."),
            argument("config", JSON | None, "How to reach the vendor; what it had before, unless given."),
        ],
        run=_enable,
        table=DATA_SOURCES,
    ),
    MutationField(
        name="saveDataSourceConfig",
        about="Save how a vendor is reached; a secret that is left out, blank or `{\"secret\": true}` stays what "
        "it is. Takes the right `DataSources.Write`.",
        arguments=[
            row_id(DATA_SOURCES),
            argument("config", JSON, "The config, as the integration's `configSchema` has it."),
            argument(
                "credential_expiration_at", Timestamp | None, "When its credentials end; as it was unless given."
            ),
            IF_UPDATED_AT,
        ],
        run=_save_config,
        table=DATA_SOURCES,
    ),
    MutationField(
        name="disableIntegration",
        about="Switch an integration off: its data sources are inactive and deleted. They are kept for seven days, "
        "in which it can be switched on again with all it had. Takes the right `DataSources.Write`.",
        arguments=[
            _INTEGRATION,
            argument("site_id", ID | None, "The one site that it is switched off for; null for all."),
        ],
        run=_disable,
        table=DATA_SOURCES,
        many=True,
    ),
    MutationField(
        name="mapDataSourceToSite",
        about="Let a data source serve a site, too; CONFLICT if it does. Takes the right `Sites.Write`.",
        arguments=[_SOURCE, _SITE],
        run=_map,
        table=DATA_SOURCE_TO_SITE,
    ),
    MutationField(
        name="unmapDataSourceFromSite",
        about="Part a data source from a site. Takes the right `Sites.Write`.",
        arguments=[_SOURCE, _SITE],
        run=_unmap,
        table=DATA_SOURCE_TO_SITE,
    ),
    MutationField(
        name="setCurrentSite",
        about="Keep the site that the viewer, a user, has chosen in the dashboard: `current_site` of their metadata.",
        arguments=[argument("site_id", ID | None, "The site; null for none.")],
        run=_set_current_site,
        table=USERS,
    ),
    MutationField(
        name="inviteUser",
        about="Invite a person: a User who is PENDING until they sign in, with this e-mail address, if the identity "
        "provider has verified it, or with a code of `createInvitationCode`. Takes the right `Users.Write`.",
        arguments=[
            argument("email", str, "Where the person is reached."),
            argument("name", str, "The person's name."),
            _ROLE,
        ],
        run=_invite,
        table=USERS,
    ),
    MutationField(
        name="changeUserRole",
        about="Give a User another role. Takes the right `Users.Write`.",
        arguments=[row_id(USERS), _ROLE, IF_UPDATED_AT],
        run=_change_role,
        table=USERS,
    ),
    MutationField(
        name="deactivateUser",
        about="Switch a User off: they are shut out at once. Takes the right `Users.Write`.",
        arguments=[row_id(USERS), IF_UPDATED_AT],
        run=_deactivate,
        table=USERS,
    ),
)  # fmt: skip
"""The verbs, beside those that follow from the tables' records."""
