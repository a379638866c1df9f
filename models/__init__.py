"""The 21 tables as Tortoise models, named as their GraphQL types."""

from models.agents import Agent, AgentApiLog
from models.billing import IntegrationPricingTier, TenantBill, TenantBillingAdjustment, TenantBillLineItem
from models.core import Role, Site, Tenant, User
from models.entities import Entity, EntityRelationship, GlobalEntity
from models.integrations import DataSource, DataSourceToSite, Integration
from models.jobs import EventLogEntry, ScheduledJob
from models.monitoring import ApiLog, AuditLogEntry, HealthCheck

__all__ = [
    "Agent",
    "AgentApiLog",
    "ApiLog",
    "AuditLogEntry",
    "DataSource",
    "DataSourceToSite",
    "Entity",
    "EntityRelationship",
    "EventLogEntry",
    "GlobalEntity",
    "HealthCheck",
    "Integration",
    "IntegrationPricingTier",
    "Role",
    "ScheduledJob",
    "Site",
    "Tenant",
    "TenantBill",
    "TenantBillLineItem",
    "TenantBillingAdjustment",
    "User",
]
