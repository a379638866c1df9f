"""The 21 tables and our additional tables as Tortoise models, with the names of their GraphQL types."""

from models.agents import Agent, AgentApiLog
from models.billing import IntegrationPricingTier, TenantBill, TenantBillingAdjustment, TenantBillLineItem
from models.core import Role, Site, Tenant, User
from models.credentials import IssuedCredential, SiteEnrollmentRule
from models.entities import Entity, EntityRelationship, GlobalEntity
from models.integrations import DataSource, DataSourceToSite, Integration
from models.jobs import EventLogEntry, JobAttempt, JobProgress, ScheduledJob
from models.legacy_agents import LegacyAgent
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
    "IssuedCredential",
    "JobAttempt",
    "JobProgress",
    "LegacyAgent",
    "Role",
    "ScheduledJob",
    "Site",
    "SiteEnrollmentRule",
    "Tenant",
    "TenantBill",
    "TenantBillLineItem",
    "TenantBillingAdjustment",
    "User",
]
