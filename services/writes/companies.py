"""Sites that stand for companies of a PSA: each company has one site at most."""

from dataclasses import replace
from typing import Final

from core.errors import ConflictError
from core.limits import EXTERNAL_ID_MAX_CHARS, TEXT_MAX_CHARS
from services.writes.changes import create, require, update
from services.writes.complaints import refuse, require_storable, told_as
from services.writes.record import Field, Row, Verb
from services.writes.sites import SITES
from services.writes.values import Reference, Text
from services.writes.writing import Writing

_LINK: Final = (
    Field("psa_integration_id", Reference("integrations"), null=True),
    Field("psa_company_id", Text(EXTERNAL_ID_MAX_CHARS), null=True),
    Field("psa_parent_company_id", Text(EXTERNAL_ID_MAX_CHARS), null=True),
)
_LINKED: Final = replace(SITES, fields=_LINK)
"""Sites, as the verbs below write them."""
_FROM_COMPANY: Final = replace(SITES, fields=(*SITES.fields, *_LINK))

_HOLDERS: Final = """
SELECT id FROM sites
WHERE tenant_id = $1::text AND psa_integration_id = $2::text AND psa_company_id = $3::text AND deleted_at IS NULL
"""
_COMPANY: Final = """
SELECT normalized_data ->> 'name' AS name, normalized_data ->> 'externalParentId' AS parent FROM entities
WHERE tenant_id = $1::text AND integration_id = $2::text AND external_id = $3::text
  AND entity_type = 'companies' AND deleted_at IS NULL
ORDER BY id LIMIT 1
"""


async def link_site(writing: Writing, site_id: str, integration_id: str, company_id: str) -> Row:
    """Let a site stand for a company of a PSA; a site that did before is freed.

    Raises:
        ProductError: The viewer may not, or the site or the integration is not there.
    """
    require(writing, SITES, Verb.UPDATE)
    company = await _company(writing, integration_id, company_id)
    holders = await _holders(writing, integration_id, company_id)
    await update(
        writing, _LINKED, [each for each in holders if each != site_id], dict.fromkeys(_LINKED.by_name)
    )
    link = _linked(integration_id, company_id, company["parent"] if company else None)
    with told_as(psa_integration_id="integration_id", psa_company_id="company_id"):
        return (await update(writing, _LINKED, [site_id], link))[0]


async def unlink_site(writing: Writing, site_id: str) -> Row:
    """Free a site from its company.

    Raises:
        ProductError: The viewer may not, or the site is not there.
    """
    return (await update(writing, _LINKED, [site_id], dict.fromkeys(_LINKED.by_name)))[0]


async def create_site_from_company(writing: Writing, integration_id: str, company_id: str) -> Row:
    """Create a site for a company of a PSA, by the company's name.

    Raises:
        ProductError: The viewer may not, there is no such company, or it has a site.
    """
    require(writing, SITES, Verb.CREATE)
    company = await _company(writing, integration_id, company_id)
    if company is None or not (company["name"] or "").strip():
        raise refuse("company_id", "names no company of this integration that has a name")
    if await _holders(writing, integration_id, company_id):
        raise ConflictError("The company has a site already", {"companyId": "has a site already"})
    link = _linked(integration_id, company_id, company["parent"])
    return await create(writing, _FROM_COMPANY, {"name": company["name"][:TEXT_MAX_CHARS], **link})


async def _company(writing: Writing, integration_id: str, company_id: str) -> Row | None:
    require_storable(integration_id=integration_id, company_id=company_id)
    found = await writing.row(_COMPANY, writing.tenant(), integration_id, company_id)
    return None if found is None else dict(found)


async def _holders(writing: Writing, integration_id: str, company_id: str) -> list[str]:
    """The sites that stand for a company; nobody else links it until this transaction ends."""
    tenant = writing.tenant()
    await writing.lock("sites.company", tenant, integration_id, company_id)
    return [row["id"] for row in await writing.rows(_HOLDERS, tenant, integration_id, company_id)]


def _linked(integration_id: str, company_id: str, parent: str | None) -> dict[str, str | None]:
    return dict(zip(_LINKED.by_name, (integration_id, company_id, parent or None), strict=True))
