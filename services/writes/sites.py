"""Sites: their slugs, and their links to companies of a PSA."""

from typing import Final

from models.enums import SiteStatus
from services.writes.field_kinds import SLUG, EnumKind, JsonKind, TextKind, build_slug
from services.writes.record import (
    ALL_VERBS,
    Row,
    UniqueConstraint,
    Values,
    WritableField,
    WritableTable,
    WriteVerb,
)
from services.writes.validation_errors import ValidationErrors
from services.writes.write_context import WriteContext

_TAKEN: Final = """
SELECT slug FROM sites
WHERE tenant_id = $1::text AND deleted_at IS NULL AND (slug = $2::text OR starts_with(slug, $2::text || '-'))
"""


async def _choose_slug(
    writing: WriteContext, before: Row | None, values: Values, _complaints: ValidationErrors
) -> None:
    """Give a new site a slug.

    A lock on the tenant serializes the creation of sites, so that no two get the same slug.
    """
    if before is not None:
        return
    tenant = writing.require_tenant()
    await writing.lock("sites.slug", tenant)
    if not values.get("slug") and values.get("name"):
        values["slug"] = await _find_free_slug(writing, tenant, build_slug(values["name"]))


async def _find_free_slug(writing: WriteContext, tenant: str, wanted: str) -> str:
    taken = {row["slug"] for row in await writing.fetch_rows(_TAKEN, tenant, wanted)}
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return next(slug for slug in (wanted, *numbered) if slug not in taken)


SITES: Final = WritableTable(
    "sites", "site", "Sites",
    (
        WritableField("name", TextKind()),
        WritableField("slug", SLUG, default=True, about="If omitted, it is derived from the name."),
        WritableField("status", EnumKind(SiteStatus), default=True),
        WritableField("metadata", JsonKind(), null=True),
    ),
    bulk=ALL_VERBS | {WriteVerb.UPDATE},
    uniques=(UniqueConstraint("sites_unique_slug", "slug", "is already in use by another site"),),
    extra={"psa_integration_id": "text", "psa_company_id": "text", "psa_parent_company_id": "text"},
    prepare=_choose_slug,
)  # fmt: skip
