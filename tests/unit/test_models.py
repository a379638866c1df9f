"""The models of the 21 tables and of those beside them against the product's own list of columns."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from tortoise import Model
from tortoise.context import TortoiseContext
from tortoise.exceptions import ValidationError

import models
from core.database.orm import build_tortoise_config
from models import columns, enums

TABLES = {
    "Tenant": "tenants: id name status metadata:json? created_at:ms updated_at:ms deleted_at:ms?",
    "User": "users: id tenant_id role_id email name status metadata:json last_activity_at:ms? "
    "created_at:ms updated_at:ms deleted_at:ms?",
    "Role": "roles: id tenant_id? name description rights:json created_at:ms updated_at:ms deleted_at:ms?",
    "Site": "sites: id tenant_id name slug status psa_integration_id? psa_company_id? "
    "psa_parent_company_id? metadata:json? created_at:ms updated_at:ms deleted_at:ms?",
    "Integration": "integrations: id name description category supported_types:list icon_url? color? level? "
    "product_url? config_schema:json? is_active:bool? created_at:ms updated_at:ms",
    "DataSource": "data_sources: id tenant_id integration_id site_id? external_id? status config:json "
    "metadata:json? credential_expiration_at:ms last_sync_at:ms? created_at:ms updated_at:ms deleted_at:ms?",
    "DataSourceToSite": "data_source_to_site: id tenant_id data_source_id site_id created_at:ms deleted_at:ms?",
    "Agent": "agents: id tenant_id site_id guid hostname platform version ip_address? mac_address? "
    "ext_address? registered_at:ms? last_checkin_at:ms? created_at:ms updated_at:ms deleted_at:ms?",
    "AgentApiLog": "agent_api_logs: id tenant_id site_id? agent_id? endpoint method status_code:int external_id? "
    "psa_site_id? rmm_device_id? req_metadata:json res_metadata:json time_elapsed_ms:int? error_message? "
    "created_at:ms updated_at:ms?",
    "Entity": "entities: id tenant_id integration_id data_source_id site_id? entity_type external_id data_hash "
    "raw_data:json normalized_data:json created_at:ms updated_at:ms deleted_at:ms?",
    "GlobalEntity": "global_entities: id integration_id entity_type external_id data_hash raw_data:json "
    "normalized_data:json created_at:ms updated_at:ms deleted_at:ms?",
    "EntityRelationship": "entity_relationships: id tenant_id parent_entity_id child_entity_id "
    "relationship_type metadata:json? created_at:ms updated_at:ms deleted_at:ms?",
    "ScheduledJob": "scheduled_jobs: id tenant_id integration_id? data_source_id? action payload:json "
    "priority:int? status attempts:int attempts_max:int next_retry_at:ms? scheduled_at:ms started_at:ms? "
    "error? created_by created_at:ms updated_at:ms",
    "EventLogEntry": "events_log: id tenant_id entity_id event_type status payload:json processed_at:ms? "
    "retry_count:int created_at:ms updated_at:ms",
    "HealthCheck": "health_checks: id tenant_id resource_type resource_id status failure_count:int "
    "last_check_at:ms last_success_at:ms? last_failure_at:ms? error_message? metadata:json? "
    "created_at:ms updated_at:ms",
    "ApiLog": "api_logs: id url method status_code:int? duration_ms:int? body? response_body? headers:json? "
    "response_headers:json? error_code? expires_at:ms created_at:ms",
    "AuditLogEntry": "audit_log: id tenant_id? user_id? actor_type actor_id? table_name record_id action "
    "changes:json created_at:ms",
    "IntegrationPricingTier": "integration_pricing_tiers: id tenant_id integration_id name description "
    "unit_cost:money effective_from:ms effective_until:ms? created_at:ms updated_at:ms deleted_at:ms?",
    "TenantBill": "tenant_bills: id tenant_id period_start:ms period_end:ms status total:money notes? "
    "finalized_at:ms? paid_at:ms? created_at:ms updated_at:ms",
    "TenantBillLineItem": "tenant_bill_line_items: id tenant_id bill_id integration_id pricing_tier_id "
    "description units:money unit_cost:money total:money metadata:json? created_at:ms",
    "TenantBillingAdjustment": "tenant_billing_adjustments: id tenant_id integration_id? type amount:money "
    "reason effective_from:ms effective_to:ms created_by? created_at:ms updated_at:ms deleted_at:ms?",
}
"""Model to "table: columns"; a column without a type is text, `?` may be absent."""

SIDE_TABLES = {
    "IssuedCredential": "issued_credentials: id tenant_id? kind site_id? agent_id? user_id? issuer_type issued_by? "
    "binding:json expires_at:ms first_used_at:ms? revoked_at:ms? revoked_by? revoke_reason? "
    "replacement_requested_at:ms? replacement_approved_at:ms? replacement_approved_by? created_at:ms updated_at:ms",
    "SiteEnrollmentRule": "site_enrollment_rules: id tenant_id site_id approval_required:bool "
    "created_at:ms updated_at:ms",
    "JobAttempt": "job_attempts: id tenant_id job_id number:int started_at:ms ended_at:ms outcome error? worker "
    "created_at:ms",
    "JobProgress": "job_progress: id tenant_id job_id done:int total:int? unit? created_at:ms updated_at:ms",
    "LegacyAgent": "legacy_agents: id tenant_id agent_id until:ms traded_at:ms? created_at:ms updated_at:ms",
}
"""The same for the tables of ours beside the 21."""

SQL = {
    "": 'TEXT COLLATE "C"',
    "ms": "BIGINT",
    "int": "INT",
    "bool": "BOOL",
    "json": "JSONB",
    "money": "NUMERIC",
    "list": 'TEXT[] COLLATE "C"',
}

ENUMS = {
    ("tenants", "status"): "active inactive suspended",
    ("users", "status"): "active inactive pending",
    ("sites", "status"): "active inactive archived",
    ("data_sources", "status"): "active inactive error",
    ("scheduled_jobs", "status"): "pending running completed failed",
    ("events_log", "status"): "pending processing completed failed",
    ("health_checks", "status"): "healthy degraded down",
    ("health_checks", "resource_type"): "agent data_source site scheduled_job integration",
    ("audit_log", "actor_type"): "user agent platform system",
    ("audit_log", "action"): "create update delete restore",
    ("tenant_bills", "status"): "draft finalized paid cancelled",
    ("tenant_billing_adjustments", "type"): "credit debit discount",
    (
        "job_attempts",
        "outcome",
    ): "completed credentials rate_limited vendor_down fault outcome_unknown lost released canceled",
    ("issued_credentials", "kind"): "enrollment agent invitation platform",
    ("issued_credentials", "issuer_type"): "user agent platform system",
}


def _parse_column(column: str) -> tuple[str, tuple[str, bool]]:
    name, _, kind = column.rstrip("?").partition(":")
    return name, (SQL[kind], column.endswith("?"))


def _describe_columns(model: type[Model]) -> dict[str, tuple[str, bool]]:
    fields = {
        column: model._meta.fields_map[name] for name, column in model._meta.fields_db_projection.items()
    }
    return {
        column: (field.get_for_dialect("postgres", "SQL_TYPE"), field.null)
        for column, field in fields.items()
    }


@pytest.fixture(scope="module", autouse=True)
async def _load_models() -> None:
    async with TortoiseContext() as context:
        await context.init(config=build_tortoise_config("postgresql:///none"), init_connections=False)


def test_models_export_all_tables() -> None:
    assert sorted(models.__all__) == sorted({*TABLES, *SIDE_TABLES})
    assert len(TABLES) == 21


@pytest.mark.parametrize("name", [*TABLES, *SIDE_TABLES])
def test_model_columns_are_as_specified(name: str) -> None:
    model: type[Model] = getattr(models, name)
    table, _, wanted = {**TABLES, **SIDE_TABLES}[name].partition(": ")
    assert model._meta.db_table == table
    assert _describe_columns(model) == dict(_parse_column(column) for column in wanted.split())


@pytest.mark.parametrize("name", [*TABLES, *SIDE_TABLES])
def test_model_and_its_fields_are_documented(name: str) -> None:
    model: type[Model] = getattr(models, name)
    description: dict[str, Any] = model.describe()
    assert description["docstring"]
    fields = [description["pk_field"], *description["data_fields"], *description["fk_fields"]]
    keys = {field["raw_field"] for field in description["fk_fields"]}
    assert [f["name"] for f in fields if not f["description"] and f["name"] not in keys] == []


def test_model_enums_are_as_specified() -> None:
    found = {}
    for name in {**TABLES, **SIDE_TABLES}:
        model: type[Model] = getattr(models, name)
        for field in model._meta.fields_map.values():
            if isinstance(field, columns.Enumerated):
                key = (model._meta.db_table, field.model_field_name)
                found[key] = " ".join(member.value for member in field.field_type)
    assert found == ENUMS


@pytest.mark.parametrize(
    "enum",
    [e for e in vars(enums).values() if isinstance(e, type) and issubclass(e, StrEnum) and e is not StrEnum],
)
def test_enum_member_names_are_their_values_in_upper_case(enum: type[StrEnum]) -> None:
    assert [member.name for member in enum] == [member.value.upper() for member in enum]


def test_money_column_refuses_float() -> None:
    field = columns.Money()
    assert field.to_db_value("0.10", None) == Decimal("0.10")
    with pytest.raises(ValidationError):
        field.to_db_value(0.1, None)


def test_enumerated_column_accepts_members_only() -> None:
    field = columns.Enumerated(enums.SiteStatus)
    assert field.to_db_value("active", None) == "active"
    assert type(field.to_db_value(enums.SiteStatus.ACTIVE, None)) is str
    with pytest.raises(ValueError, match="gone"):
        field.to_db_value("gone", None)
