"""Columns that are computed from other rows: their SQL and their dependencies, declared once for tables and views.

Each expression is for one row, `{t}`, and restricts the other rows to the row's tenant. Row-level security does the
same, but not for the platform. The expression reads no deleted row, as no relation does.
"""

from dataclasses import dataclass
from typing import Any, Final

from schema.table import ColumnDependency, column


@dataclass(frozen=True, slots=True)
class ComputedColumn:
    """The definition of a computed column.

    Attributes:
        sql: The expression; `{t}` stands for the row.
        own_column: The columns of the row that it depends on, as `table.column`.
        dependencies: The other rows that it depends on.
    """

    sql: str
    own_column: str
    dependencies: tuple[ColumnDependency, ...] = ()

    def column(self, description: str, *, search: bool = False) -> Any:
        """Declare the column in the class of a table or view."""
        table, _, names = self.own_column.partition(".")
        reads = tuple((table, name) for name in names.split())
        return column(
            description,
            sql=self.sql,
            reads=reads,
            dependencies=self.dependencies,
            search=search,
            stored=False,
        )


def _build_dependency(table: str, columns: str) -> ColumnDependency:
    return ColumnDependency(table, tuple(columns.split()))


def build_own_column(table: str, name: str) -> ComputedColumn:
    """A view's column that is one of the table's own under another name."""
    return ComputedColumn(f"{{t}}.{name}", f"{table}.{name}")


# The parent of a site, found by the ids of the PSA. HaloPSA numbers its clients and its sites separately, and a
# parent there is always a client. A site with a parent has a site's number, so that number must not match as a
# client's.
_PARENT: Final = """(
    SELECT parent.{column} FROM sites parent
    WHERE parent.tenant_id = {{t}}.tenant_id AND parent.psa_integration_id = {{t}}.psa_integration_id
      AND parent.psa_company_id = {{t}}.psa_parent_company_id AND parent.id <> {{t}}.id AND parent.deleted_at IS NULL
      AND (parent.psa_parent_company_id IS NULL OR parent.psa_integration_id <> 'halopsa')
    ORDER BY parent.id LIMIT 1)"""


def build_parent_site_column(name: str) -> ComputedColumn:
    """A column of the site that is a site's parent in the PSA."""
    wanted = "id tenant_id deleted_at psa_integration_id psa_company_id psa_parent_company_id"
    return ComputedColumn(
        _PARENT.format(column=name),
        "sites.id tenant_id psa_integration_id psa_parent_company_id",
        (_build_dependency("sites", f"{wanted} {name}"),),
    )


PSA_NAME: Final = ComputedColumn(
    "(SELECT psa.name FROM integrations psa WHERE psa.id = {t}.psa_integration_id)",
    "sites.psa_integration_id",
    (_build_dependency("integrations", "id name"),),
)

TENANT_NAME: Final = ComputedColumn(
    "(SELECT owner.name FROM tenants owner WHERE owner.id = {t}.tenant_id AND owner.deleted_at IS NULL)",
    "sites.tenant_id",
    (_build_dependency("tenants", "id name deleted_at"),),
)


def build_role_column(name: str) -> ComputedColumn:
    """A column of a user's role."""
    sql = f"""(
        SELECT held.{name} FROM roles held
        WHERE held.id = {{t}}.role_id AND (held.tenant_id = {{t}}.tenant_id OR held.tenant_id IS NULL)
          AND held.deleted_at IS NULL)"""
    return ComputedColumn(
        sql, "users.role_id tenant_id", (_build_dependency("roles", f"id tenant_id deleted_at {name}"),)
    )


_OF_INTEGRATION: Final = """
    FROM data_sources source
    WHERE source.integration_id = {t}.id AND source.tenant_id = current_setting('app.tenant_id', true)
      AND source.deleted_at IS NULL"""
_COUNTED: Final = (_build_dependency("data_sources", "id integration_id tenant_id deleted_at"),)

SOURCES_COUNT: Final = ComputedColumn(
    f"(SELECT count(*)::integer {_OF_INTEGRATION})", "integrations.id", _COUNTED
)
IS_ENABLED: Final = ComputedColumn(f"EXISTS (SELECT {_OF_INTEGRATION})", "integrations.id", _COUNTED)
SOURCES_STATUS: Final = ComputedColumn(
    f"""(SELECT CASE WHEN bool_or(source.status = 'error') THEN 'error'
        WHEN bool_or(source.status = 'active') THEN 'active'
        WHEN count(*) > 0 THEN 'inactive' END {_OF_INTEGRATION})""",
    "integrations.id",
    (_build_dependency("data_sources", "id integration_id tenant_id deleted_at status"),),
)

_SOURCES: Final = _build_dependency("data_sources", "id tenant_id integration_id deleted_at")
_NAMES: Final = _build_dependency("integrations", "id name")
_MAPPINGS: Final = _build_dependency("data_source_to_site", "id tenant_id data_source_id site_id deleted_at")

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


def _build_ids_sql(found: str) -> str:
    return f"ARRAY(SELECT DISTINCT integration_id FROM ({found}) found ORDER BY integration_id)"


def _build_names_sql(found: str) -> str:
    return f"ARRAY(SELECT product.name FROM integrations product WHERE product.id IN ({found}) ORDER BY product.id)"


def _count_sql(found: str) -> str:
    return f"(SELECT count(DISTINCT integration_id)::integer FROM ({found}) found)"


ENABLED_IDS: Final = ComputedColumn(_build_ids_sql(_OF_TENANT), "tenants.id", (_SOURCES,))
ENABLED_NAMES: Final = ComputedColumn(_build_names_sql(_OF_TENANT), "tenants.id", (_SOURCES, _NAMES))
ENABLED_COUNT: Final = ComputedColumn(_count_sql(_OF_TENANT), "tenants.id", (_SOURCES,))

_SITES_SOURCES: Final = _build_dependency("data_sources", "id tenant_id integration_id site_id deleted_at")
MAPPED_IDS: Final = ComputedColumn(
    _build_ids_sql(_OF_SITE), "sites.id tenant_id", (_SITES_SOURCES, _MAPPINGS)
)
MAPPED_NAMES: Final = ComputedColumn(
    _build_names_sql(_OF_SITE), "sites.id tenant_id", (_SITES_SOURCES, _MAPPINGS, _NAMES)
)
MAPPED_COUNT: Final = ComputedColumn(_count_sql(_OF_SITE), "sites.id tenant_id", (_SITES_SOURCES, _MAPPINGS))

# Several sites may be linked to one company, though none should be. The oldest is shown.
_LINKED: Final = """
    FROM sites linked
    WHERE linked.tenant_id = {t}.tenant_id AND linked.psa_integration_id = {t}.integration_id
      AND linked.psa_company_id = {t}.external_id AND linked.deleted_at IS NULL AND {t}.entity_type = 'companies'"""
_OF_COMPANY: Final = "entities.tenant_id integration_id external_id entity_type"
_BY_COMPANY: Final = "id tenant_id deleted_at psa_integration_id psa_company_id"

IS_COMPANY_LINKED: Final = ComputedColumn(
    f"EXISTS (SELECT {_LINKED})", _OF_COMPANY, (_build_dependency("sites", _BY_COMPANY),)
)


def build_linked_site_column(name: str) -> ComputedColumn:
    """A column of the site that is linked to a company of the PSA."""
    sql = f"(SELECT linked.{name} {_LINKED} ORDER BY linked.id LIMIT 1)"
    return ComputedColumn(sql, _OF_COMPANY, (_build_dependency("sites", f"{_BY_COMPANY} {name}"),))


def build_normalized_text(name: str) -> ComputedColumn:
    """A text of an entity's normalized data."""
    return ComputedColumn(f"({{t}}.normalized_data ->> '{name}')", "entities.normalized_data")


_AT_SOPHOS: Final = """
    FROM data_sources linked
    WHERE linked.site_id = {t}.id AND linked.tenant_id = {t}.tenant_id AND linked.integration_id = 'sophos-partner'
      AND linked.deleted_at IS NULL"""
_BY_SITE: Final = "id tenant_id site_id integration_id deleted_at"

IS_AT_SOPHOS: Final = ComputedColumn(
    f"EXISTS (SELECT {_AT_SOPHOS})", "sites.id tenant_id", (_build_dependency("data_sources", _BY_SITE),)
)


def build_sophos_source_column(expression: str) -> ComputedColumn:
    """A value of the data source that links a site to Sophos Central; of the newest, if there are several."""
    name = expression.partition(" ")[0]
    sql = f"(SELECT linked.{expression} {_AT_SOPHOS} ORDER BY linked.created_at DESC, linked.id DESC LIMIT 1)"
    return ComputedColumn(
        sql, "sites.id tenant_id", (_build_dependency("data_sources", f"{_BY_SITE} created_at {name}"),)
    )
