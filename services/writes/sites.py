"""Sites: their slugs, and the companies of a PSA that they stand for."""

from typing import Final

from models.enums import SiteStatus
from services.writes.complaints import Complaints
from services.writes.record import LIFE, Field, Record, Row, Unique, Values, Verb
from services.writes.values import SLUG, Json, OneOf, Text, slug_of
from services.writes.writing import Writing

_TAKEN: Final = """
SELECT slug FROM sites
WHERE tenant_id = $1::text AND deleted_at IS NULL AND (slug = $2::text OR starts_with(slug, $2::text || '-'))
"""


async def _prepare(writing: Writing, before: Row | None, values: Values, _complaints: Complaints) -> None:
    """Give a new site a slug; sites of a tenant are made one after the other, so that two do not choose the same."""
    if before is not None:
        return
    tenant = writing.tenant()
    await writing.lock("sites.slug", tenant)
    if not values.get("slug") and values.get("name"):
        values["slug"] = await _free_slug(writing, tenant, slug_of(values["name"]))


async def _free_slug(writing: Writing, tenant: str, wanted: str) -> str:
    taken = {row["slug"] for row in await writing.rows(_TAKEN, tenant, wanted)}
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return next(slug for slug in (wanted, *numbered) if slug not in taken)


SITES: Final = Record(
    "sites", "site", "Sites",
    (
        Field("name", Text()),
        Field("slug", SLUG, default=True, about="Made from the name where it is left out."),
        Field("status", OneOf(SiteStatus), default=True),
        Field("metadata", Json(), null=True),
    ),
    bulk=LIFE | {Verb.UPDATE},
    uniques=(Unique("sites_unique_slug", "slug", "is taken by another site"),),
    extra={"psa_integration_id": "text", "psa_company_id": "text", "psa_parent_company_id": "text"},
    prepare=_prepare,
)  # fmt: skip
