"""A reference for computed columns in plain Python over all rows: no SQL, no declarations."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from core.limits import CLOCK_SKEW_MAX_MS
from core.settings import Settings

Row = Mapping[str, Any]


class ColumnComputer:
    """Computes columns of one database's rows.

    Attributes:
        tenant_id: The viewer's tenant. Its data sources count in the catalog of integrations.
        clock_ms: The current time, in milliseconds since the epoch.
    """

    def __init__(self, rows: Mapping[str, Sequence[Row]], tenant_id: str | None, clock_ms: int) -> None:
        self.tenant_id = tenant_id
        self._online_since = clock_ms - Settings().agent_offline_after * 1000
        self._online_until = clock_ms + CLOCK_SKEW_MAX_MS
        self._names = {row["id"]: row["name"] for row in rows["integrations"]}
        live = {
            table: [row for row in rows[table] if row["deleted_at"] is None]
            for table in ("sites", "data_sources", "data_source_to_site", "roles", "tenants")
        }
        self._roles, self._tenants = ({r["id"]: r for r in live[name]} for name in ("roles", "tenants"))
        self._companies = _group_rows(
            live["sites"], lambda r: (r["tenant_id"], r["psa_integration_id"], r["psa_company_id"])
        )
        self._sources = {row["id"]: row for row in live["data_sources"]}
        self._of_tenant = _group_rows(live["data_sources"], lambda r: r["tenant_id"])
        self._of_site = _group_rows(live["data_sources"], lambda r: r["site_id"])
        self._mapped = _group_rows(live["data_source_to_site"], lambda r: r["site_id"])

    def compute(self, table: str, row: Row) -> dict[str, Any]:
        """The computed columns of a row of a table."""
        compute = _COMPUTED_TABLES.get(table)
        return compute(self, row) if compute else {}

    def _compute_agent(self, row: Row) -> dict[str, Any]:
        seen = row["last_checkin_at"]
        return {"is_online": seen is not None and self._online_since <= seen <= self._online_until}

    def _compute_tenant(self, row: Row) -> dict[str, Any]:
        return self._compute_integrations("enabled", self._of_tenant.get(row["id"], []))

    def _compute_user(self, row: Row) -> dict[str, Any]:
        role = self._roles.get(row["role_id"], {})
        return {f"role_{name}": role.get(name) for name in ("name", "description", "rights")}

    def _compute_site(self, row: Row) -> dict[str, Any]:
        parent = self._find_parent(row)
        ids = [m["data_source_id"] for m in self._mapped.get(row["id"], [])]
        sources = [
            *self._of_site.get(row["id"], []),
            *(self._sources[row_id] for row_id in ids if row_id in self._sources),
        ]
        tenant = self._tenants.get(row["tenant_id"], {})
        return {
            "psa_integration_name": self._names.get(row["psa_integration_id"]),
            **{f"parent_{name}": parent.get(name) for name in ("id", "name", "slug")},
            "tenant_name": tenant.get("name"),
            **self._compute_integrations("mapped", sources),
            **self._compute_sophos(row),
        }

    def _find_parent(self, row: Row) -> Row:
        wanted = row["psa_parent_company_id"]
        if wanted is None:
            return {}
        key = (row["tenant_id"], row["psa_integration_id"], wanted)
        found = [s for s in self._companies.get(key, []) if s["id"] != row["id"]]
        if row["psa_integration_id"] == "halopsa":
            found = [s for s in found if s["psa_parent_company_id"] is None]
        return min(found, key=lambda s: str(s["id"]), default={})

    def _compute_sophos(self, row: Row) -> dict[str, Any]:
        own = [s for s in self._of_site.get(row["id"], []) if s["integration_id"] == "sophos-partner"]
        source: Row = max(own, key=lambda s: (s["created_at"], s["id"]), default={})
        metadata = source.get("metadata")
        return {
            "is_linked": bool(own),
            "linked_tenant_id": source.get("external_id"),
            "linked_tenant_name": _json_text(metadata, "name"),
            "linked_tenant_api_host": _json_text(metadata, "apiHost"),
            "data_source_status": source.get("status"),
            "mapped_at": source.get("created_at"),
        }

    def _compute_integration(self, row: Row) -> dict[str, Any]:
        own = [s for s in self._of_tenant.get(self.tenant_id, []) if s["integration_id"] == row["id"]]
        statuses = {source["status"] for source in own}
        worst = next((status for status in ("error", "active", "inactive") if status in statuses), None)
        schema = row["config_schema"]
        if isinstance(schema, dict):
            schema = {name: value for name, value in schema.items() if name != "$order"}
        return {
            "config_schema": schema,
            "data_sources_count": len(own),
            "is_enabled": bool(own),
            "data_source_status": worst,
        }

    def _compute_job(self, row: Row) -> dict[str, Any]:
        """The demo's data have no job that was enqueued, as after an import."""
        return {"blocked_by": "imported" if row["status"] == "pending" else None}

    def _compute_entity(self, row: Row) -> dict[str, Any]:
        key = (row["tenant_id"], row["integration_id"], row["external_id"])
        found = self._companies.get(key, []) if row["entity_type"] == "companies" else []
        site: Row = min(found, key=lambda s: str(s["id"]), default={})
        normalized = row["normalized_data"]
        return {
            "name": _json_text(normalized, "name"),
            "external_parent_id": _json_text(normalized, "externalParentId"),
            "is_linked": bool(found),
            **{f"linked_site_{name}": site.get(name) for name in ("id", "name", "slug", "status")},
        }

    def _compute_integrations(self, prefix: str, sources: Iterable[Row]) -> dict[str, Any]:
        ids = sorted({source["integration_id"] for source in sources})
        return {
            f"{prefix}_integration_ids": ids,
            f"{prefix}_integrations": [self._names[row_id] for row_id in ids],
            f"{prefix}_integration_count": len(ids),
        }


def _group_rows(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _json_text(value: Any, name: str) -> str | None:
    """A member of a JSON object as text, as `->>` gives it."""
    member = value.get(name) if isinstance(value, dict) else None
    match member:
        case None | str():
            return member
        case bool():
            return "true" if member else "false"
        case int() | Decimal():
            return str(member)
    return json.dumps(member)


_COMPUTED_TABLES: Final[Mapping[str, Callable[[ColumnComputer, Row], dict[str, Any]]]] = {
    "tenants": ColumnComputer._compute_tenant,
    "users": ColumnComputer._compute_user,
    "sites": ColumnComputer._compute_site,
    "integrations": ColumnComputer._compute_integration,
    "agents": ColumnComputer._compute_agent,
    "entities": ColumnComputer._compute_entity,
    "scheduled_jobs": ColumnComputer._compute_job,
}

RENAMED_COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "enabled_integrations_view": {"tenant_name": "name"},
    "site_integrations_view": {"site_name": "name", "site_slug": "slug"},
}
"""A view's columns that are the table's own columns with another name."""
