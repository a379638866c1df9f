"""Columns that are computed from other rows: their SQL, and what it looks at, said once for tables and for views.

Each expression is of one row, `{t}`, and pins what it looks for to that row's tenant itself: row-level security says
the same once more, but not to the platform. It reads no deleted row, as no relation does.
"""

from dataclasses import dataclass
from typing import Any, Final

from schema.table import Look, column


@dataclass(frozen=True, slots=True)
class Computed:
    """What a computed column is.

    Attributes:
        sql: The expression; `{t}` stands for the row.
        own: The columns of the row that it goes by, as `table.column`.
        looks: The other rows that it goes by.
    """

    sql: str
    own: str
    looks: tuple[Look, ...] = ()

    def column(self, description: str, *, search: bool = False) -> Any:
        """A column of a table's or a view's class."""
        table, _, names = self.own.partition(".")
        reads = tuple((table, name) for name in names.split())
        return column(description, sql=self.sql, reads=reads, looks=self.looks, search=search, stored=False)


def _look(table: str, columns: str) -> Look:
    return Look(table, tuple(columns.split()))


def own(table: str, name: str) -> Computed:
    """A view's column that is one of the table's own under another name."""
    return Computed(f"{{t}}.{name}", f"{table}.{name}")


# The site behind a site: found by the ids that the PSA gave them. HaloPSA numbers its clients and its sites apart,
# and a parent there is a client: a site that has a parent itself bears a site's number, which is no client's.
_PARENT: Final = """(
    SELECT parent.{column} FROM sites parent
    WHERE parent.tenant_id = {{t}}.tenant_id AND parent.psa_integration_id = {{t}}.psa_integration_id
      AND parent.psa_company_id = {{t}}.psa_parent_company_id AND parent.id <> {{t}}.id AND parent.deleted_at IS NULL
      AND (parent.psa_parent_company_id IS NULL OR parent.psa_integration_id <> 'halopsa')
    ORDER BY parent.id LIMIT 1)"""


def parent(name: str) -> Computed:
    """A column of the site that is a site's parent in the PSA."""
    wanted = "id tenant_id deleted_at psa_integration_id psa_company_id psa_parent_company_id"
    return Computed(
        _PARENT.format(column=name),
        "sites.id tenant_id psa_integration_id psa_parent_company_id",
        (_look("sites", f"{wanted} {name}"),),
    )


PSA_NAME: Final = Computed(
    "(SELECT psa.name FROM integrations psa WHERE psa.id = {t}.psa_integration_id)",
    "sites.psa_integration_id",
    (_look("integrations", "id name"),),
)

TENANT_NAME: Final = Computed(
    "(SELECT owner.name FROM tenants owner WHERE owner.id = {t}.tenant_id AND owner.deleted_at IS NULL)",
    "sites.tenant_id",
    (_look("tenants", "id name deleted_at"),),
)


def role(name: str) -> Computed:
    """A column of a user's role."""
    sql = f"""(
        SELECT held.{name} FROM roles held
        WHERE held.id = {{t}}.role_id AND (held.tenant_id = {{t}}.tenant_id OR held.tenant_id IS NULL)
          AND held.deleted_at IS NULL)"""
    return Computed(sql, "users.role_id tenant_id", (_look("roles", f"id tenant_id deleted_at {name}"),))


_OF_INTEGRATION: Final = """
    FROM data_sources source
    WHERE source.integration_id = {t}.id AND source.tenant_id = current_setting('app.tenant_id', true)
      AND source.deleted_at IS NULL"""
_COUNTED: Final = (_look("data_sources", "id integration_id tenant_id deleted_at"),)

SOURCES_COUNT: Final = Computed(f"(SELECT count(*)::integer {_OF_INTEGRATION})", "integrations.id", _COUNTED)
IS_ENABLED: Final = Computed(f"EXISTS (SELECT {_OF_INTEGRATION})", "integrations.id", _COUNTED)
SOURCES_STATUS: Final = Computed(
    f"""(SELECT CASE WHEN bool_or(source.status = 'error') THEN 'error'
        WHEN bool_or(source.status = 'active') THEN 'active'
        WHEN count(*) > 0 THEN 'inactive' END {_OF_INTEGRATION})""",
    "integrations.id",
    (_look("data_sources", "id integration_id tenant_id deleted_at status"),),
)

_SOURCES: Final = _look("data_sources", "id tenant_id integration_id deleted_at")
_NAMES: Final = _look("integrations", "id name")
_MAPPINGS: Final = _look("data_source_to_site", "id tenant_id data_source_id site_id deleted_at")

_OF_TENANT: Final = """
    SELECT source.integration_id FROM data_sources source
    WHERE source.tenant_id = {t}.id AND source.deleted_at IS NULL"""
_OF_SITE: Final = """
    SELECT source.integration_id FROM data_sources source
    WHERE source.site_id = {t}.id AND source.tenant_id = {t}.tenant_id AND source.deleted_at IS NULL
    UNION ALL
    SELECT source.integration_id FROM data_source_to_site mapping
    JOIN data_sources source ON source.id = mapping.data_source_id AND source.tenant_id = mapping.tenant_id
    WHERE mapping.site_id = {t}.id AND mapping.tenant_id = {t}.tenant_id AND mapping.deleted_at IS NULL
      AND source.deleted_at IS NULL"""


def _ids(found: str) -> str:
    return f"ARRAY(SELECT DISTINCT integration_id FROM ({found}) found ORDER BY integration_id)"


def _names(found: str) -> str:
    return f"ARRAY(SELECT product.name FROM integrations product WHERE product.id IN ({found}) ORDER BY product.id)"


def _count(found: str) -> str:
    return f"(SELECT count(DISTINCT integration_id)::integer FROM ({found}) found)"


ENABLED_IDS: Final = Computed(_ids(_OF_TENANT), "tenants.id", (_SOURCES,))
ENABLED_NAMES: Final = Computed(_names(_OF_TENANT), "tenants.id", (_SOURCES, _NAMES))
ENABLED_COUNT: Final = Computed(_count(_OF_TENANT), "tenants.id", (_SOURCES,))

_SITES_SOURCES: Final = _look("data_sources", "id tenant_id integration_id site_id deleted_at")
MAPPED_IDS: Final = Computed(_ids(_OF_SITE), "sites.id tenant_id", (_SITES_SOURCES, _MAPPINGS))
MAPPED_NAMES: Final = Computed(_names(_OF_SITE), "sites.id tenant_id", (_SITES_SOURCES, _MAPPINGS, _NAMES))
MAPPED_COUNT: Final = Computed(_count(_OF_SITE), "sites.id tenant_id", (_SITES_SOURCES, _MAPPINGS))

# Several sites may be linked to one company, though none should be: the oldest is told.
_LINKED: Final = """
    FROM sites linked
    WHERE linked.tenant_id = {t}.tenant_id AND linked.psa_integration_id = {t}.integration_id
      AND linked.psa_company_id = {t}.external_id AND linked.deleted_at IS NULL AND {t}.entity_type = 'companies'"""
_OF_COMPANY: Final = "entities.tenant_id integration_id external_id entity_type"
_BY_COMPANY: Final = "id tenant_id deleted_at psa_integration_id psa_company_id"

IS_COMPANY_LINKED: Final = Computed(f"EXISTS (SELECT {_LINKED})", _OF_COMPANY, (_look("sites", _BY_COMPANY),))


def linked_site(name: str) -> Computed:
    """A column of the site that is linked to a company of the PSA."""
    sql = f"(SELECT linked.{name} {_LINKED} ORDER BY linked.id LIMIT 1)"
    return Computed(sql, _OF_COMPANY, (_look("sites", f"{_BY_COMPANY} {name}"),))


def normalized(name: str) -> Computed:
    """A text of an entity's normalized data."""
    return Computed(f"({{t}}.normalized_data ->> '{name}')", "entities.normalized_data")


_AT_SOPHOS: Final = """
    FROM data_sources linked
    WHERE linked.site_id = {t}.id AND linked.tenant_id = {t}.tenant_id AND linked.integration_id = 'sophos-partner'
      AND linked.deleted_at IS NULL"""
_BY_SITE: Final = "id tenant_id site_id integration_id deleted_at"

IS_AT_SOPHOS: Final = Computed(
    f"EXISTS (SELECT {_AT_SOPHOS})", "sites.id tenant_id", (_look("data_sources", _BY_SITE),)
)


def at_sophos(expression: str) -> Computed:
    """Something of the data source by which a site is linked to Sophos Central; of several, the newest."""
    name = expression.partition(" ")[0]
    sql = f"(SELECT linked.{expression} {_AT_SOPHOS} ORDER BY linked.created_at DESC, linked.id DESC LIMIT 1)"
    return Computed(sql, "sites.id tenant_id", (_look("data_sources", f"{_BY_SITE} created_at {name}"),))
