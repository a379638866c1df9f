"""Links of sites to companies of a PSA. Each company has one site at most."""

from dataclasses import replace
from typing import Final

from core.errors import ConflictError
from core.limits import EXTERNAL_ID_MAX_CHARS, TEXT_MAX_CHARS
from services.writes.field_kinds import ReferenceKind, TextKind
from services.writes.record import Row, WritableField, WriteVerb
from services.writes.row_changes import create_row, require_write_right, update_rows
from services.writes.sites import SITES
from services.writes.validation_errors import build_field_error, rename_fields, require_storable_texts
from services.writes.write_context import WriteContext

_LINK: Final = (
    WritableField("psa_integration_id", ReferenceKind("integrations"), null=True),
    WritableField("psa_company_id", TextKind(EXTERNAL_ID_MAX_CHARS), null=True),
    WritableField("psa_parent_company_id", TextKind(EXTERNAL_ID_MAX_CHARS), null=True),
)
_LINKED: Final = replace(SITES, fields=_LINK)
"""The record of sites for the operations below."""
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


async def link_site(writing: WriteContext, site_id: str, integration_id: str, company_id: str) -> Row:
    """Link a site to a company of a PSA. A site that was linked to it before is unlinked.

    Raises:
        ProductError: The viewer may not, or the site or the integration does not exist.
    """
    require_write_right(writing, SITES, WriteVerb.UPDATE)
    company = await _find_company(writing, integration_id, company_id)
    holders = await _lock_linked_sites(writing, integration_id, company_id)
    await update_rows(
        writing, _LINKED, [each for each in holders if each != site_id], dict.fromkeys(_LINKED.by_name)
    )
    link = _link_values(integration_id, company_id, company["parent"] if company else None)
    with rename_fields(psa_integration_id="integration_id", psa_company_id="company_id"):
        return (await update_rows(writing, _LINKED, [site_id], link))[0]


async def unlink_site(writing: WriteContext, site_id: str) -> Row:
    """Remove a site's link to its company.

    Raises:
        ProductError: The viewer may not, or the site does not exist.
    """
    return (await update_rows(writing, _LINKED, [site_id], dict.fromkeys(_LINKED.by_name)))[0]


async def create_site_from_company(writing: WriteContext, integration_id: str, company_id: str) -> Row:
    """Create a site for a company of a PSA, with the company's name.

    Raises:
        ProductError: The viewer may not, there is no such company, or it has a site.
    """
    require_write_right(writing, SITES, WriteVerb.CREATE)
    company = await _find_company(writing, integration_id, company_id)
    if company is None or not (company["name"] or "").strip():
        raise build_field_error("company_id", "must be the id of a company of this integration with a name")
    if await _lock_linked_sites(writing, integration_id, company_id):
        raise ConflictError("The company already has a site", {"companyId": "already has a site"})
    link = _link_values(integration_id, company_id, company["parent"])
    return await create_row(writing, _FROM_COMPANY, {"name": company["name"][:TEXT_MAX_CHARS], **link})


async def _find_company(writing: WriteContext, integration_id: str, company_id: str) -> Row | None:
    require_storable_texts(integration_id=integration_id, company_id=company_id)
    found = await writing.fetch_row(_COMPANY, writing.require_tenant(), integration_id, company_id)
    return None if found is None else dict(found)


async def _lock_linked_sites(writing: WriteContext, integration_id: str, company_id: str) -> list[str]:
    """The sites that are linked to a company. Until this transaction ends, no other transaction links it."""
    tenant = writing.require_tenant()
    await writing.lock("sites.company", tenant, integration_id, company_id)
    return [row["id"] for row in await writing.fetch_rows(_HOLDERS, tenant, integration_id, company_id)]


def _link_values(integration_id: str, company_id: str, parent: str | None) -> dict[str, str | None]:
    return dict(zip(_LINKED.by_name, (integration_id, company_id, parent or None), strict=True))
