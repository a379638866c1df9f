"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.ViewerKind = exports.UserStatus = exports.UserOrderField = exports.TenantStatus = exports.TenantOrderField = exports.TenantBillingAdjustmentOrderField = exports.TenantBillOrderField = exports.TenantBillLineItemOrderField = exports.SiteStatus = exports.SiteOrderField = exports.ScheduledJobOrderField = exports.RoleOrderField = exports.Nulls = exports.JobStatus = exports.IntegrationPricingTierOrderField = exports.IntegrationOrderField = exports.HealthStatus = exports.HealthResourceType = exports.HealthCheckOrderField = exports.GlobalEntityOrderField = exports.EventStatus = exports.EventLogEntryOrderField = exports.EntityRelationshipOrderField = exports.EntityOrderField = exports.Direction = exports.DataSourceToSiteOrderField = exports.DataSourceStatus = exports.DataSourceOrderField = exports.BillStatus = exports.AuditLogEntryOrderField = exports.AuditActor = exports.AuditAction = exports.ApiLogOrderField = exports.AgentOrderField = exports.AgentApiLogOrderField = exports.AdjustmentType = void 0;
/** Which way an adjustment goes. */
var AdjustmentType;
(function (AdjustmentType) {
    /** It lowers the bill by an amount. */
    AdjustmentType["Credit"] = "CREDIT";
    /** It raises the bill by an amount. */
    AdjustmentType["Debit"] = "DEBIT";
    /** It lowers the bill by an agreed reduction. */
    AdjustmentType["Discount"] = "DISCOUNT";
})(AdjustmentType || (exports.AdjustmentType = AdjustmentType = {}));
/** What `agentApiLogs` can be ordered by. */
var AgentApiLogOrderField;
(function (AgentApiLogOrderField) {
    /** The agent that called; null where a registration failed. */
    AgentApiLogOrderField["AgentId"] = "AGENT_ID";
    /** When the call came. */
    AgentApiLogOrderField["CreatedAt"] = "CREATED_AT";
    /** The path that was called. */
    AgentApiLogOrderField["Endpoint"] = "ENDPOINT";
    /** Why it failed; null if it did not. */
    AgentApiLogOrderField["ErrorMessage"] = "ERROR_MESSAGE";
    /** The id that the call led to at a vendor, such as a ticket's. */
    AgentApiLogOrderField["ExternalId"] = "EXTERNAL_ID";
    /** The entry's id. */
    AgentApiLogOrderField["Id"] = "ID";
    /** The HTTP method. */
    AgentApiLogOrderField["Method"] = "METHOD";
    /** The site's id in the PSA. */
    AgentApiLogOrderField["PsaSiteId"] = "PSA_SITE_ID";
    /** The device's id in the RMM. */
    AgentApiLogOrderField["RmmDeviceId"] = "RMM_DEVICE_ID";
    /** The site of the caller, where it is known. */
    AgentApiLogOrderField["SiteId"] = "SITE_ID";
    /** The HTTP status that was answered. */
    AgentApiLogOrderField["StatusCode"] = "STATUS_CODE";
    /** The tenant of the caller. */
    AgentApiLogOrderField["TenantId"] = "TENANT_ID";
    /** How long it took, in milliseconds. */
    AgentApiLogOrderField["TimeElapsedMs"] = "TIME_ELAPSED_MS";
    /** When the entry was completed, if that was later. */
    AgentApiLogOrderField["UpdatedAt"] = "UPDATED_AT";
})(AgentApiLogOrderField || (exports.AgentApiLogOrderField = AgentApiLogOrderField = {}));
/** What `agents` can be ordered by. */
var AgentOrderField;
(function (AgentOrderField) {
    /** When its row was created. */
    AgentOrderField["CreatedAt"] = "CREATED_AT";
    /** When it was deleted; null while it is not. */
    AgentOrderField["DeletedAt"] = "DELETED_AT";
    /** The address that it is seen under from outside. */
    AgentOrderField["ExtAddress"] = "EXT_ADDRESS";
    /** What tells the device from others across reinstalls; unique in the tenant. */
    AgentOrderField["Guid"] = "GUID";
    /** The device's host name. */
    AgentOrderField["Hostname"] = "HOSTNAME";
    /** The agent's id, also the device id that it sends. */
    AgentOrderField["Id"] = "ID";
    /** Its address in the local network. */
    AgentOrderField["IpAddress"] = "IP_ADDRESS";
    /** When it last checked in; null if never. */
    AgentOrderField["LastCheckinAt"] = "LAST_CHECKIN_AT";
    /** Its hardware address. */
    AgentOrderField["MacAddress"] = "MAC_ADDRESS";
    /** The operating system: windows, macos, linux. */
    AgentOrderField["Platform"] = "PLATFORM";
    /** When it enrolled. */
    AgentOrderField["RegisteredAt"] = "REGISTERED_AT";
    /** The site where the device is. */
    AgentOrderField["SiteId"] = "SITE_ID";
    /** The tenant that looks after the device. */
    AgentOrderField["TenantId"] = "TENANT_ID";
    /** When a person or a job last changed it; a check-in does not count. */
    AgentOrderField["UpdatedAt"] = "UPDATED_AT";
    /** The agent's version. */
    AgentOrderField["Version"] = "VERSION";
})(AgentOrderField || (exports.AgentOrderField = AgentOrderField = {}));
/** What `apiLogs` can be ordered by. */
var ApiLogOrderField;
(function (ApiLogOrderField) {
    /** When the call was made. */
    ApiLogOrderField["CreatedAt"] = "CREATED_AT";
    /** How long it took, in milliseconds. */
    ApiLogOrderField["DurationMs"] = "DURATION_MS";
    /** Why no answer came: timeout, refused, ... */
    ApiLogOrderField["ErrorCode"] = "ERROR_CODE";
    /** When the server deletes the entry. */
    ApiLogOrderField["ExpiresAt"] = "EXPIRES_AT";
    /** The entry's id. */
    ApiLogOrderField["Id"] = "ID";
    /** The HTTP method. */
    ApiLogOrderField["Method"] = "METHOD";
    /** The HTTP status that came back; null if none did. */
    ApiLogOrderField["StatusCode"] = "STATUS_CODE";
    /** The address that was called, without secrets. */
    ApiLogOrderField["Url"] = "URL";
})(ApiLogOrderField || (exports.ApiLogOrderField = ApiLogOrderField = {}));
/** What was done to a row. */
var AuditAction;
(function (AuditAction) {
    /** It was created. */
    AuditAction["Create"] = "CREATE";
    /** It was deleted; most rows can be restored. */
    AuditAction["Delete"] = "DELETE";
    /** It was brought back. */
    AuditAction["Restore"] = "RESTORE";
    /** It was changed. */
    AuditAction["Update"] = "UPDATE";
})(AuditAction || (exports.AuditAction = AuditAction = {}));
/** What kind of actor changed a row. */
var AuditActor;
(function (AuditActor) {
    /** An agent on a client device. */
    AuditActor["Agent"] = "AGENT";
    /** The operator, by a service token. */
    AuditActor["Platform"] = "PLATFORM";
    /** The server itself. */
    AuditActor["System"] = "SYSTEM";
    /** A person. */
    AuditActor["User"] = "USER";
})(AuditActor || (exports.AuditActor = AuditActor = {}));
/** What `auditLog` can be ordered by. */
var AuditLogEntryOrderField;
(function (AuditLogEntryOrderField) {
    /** What was done. */
    AuditLogEntryOrderField["Action"] = "ACTION";
    /** The actor's id. */
    AuditLogEntryOrderField["ActorId"] = "ACTOR_ID";
    /** What kind of actor made the change. */
    AuditLogEntryOrderField["ActorType"] = "ACTOR_TYPE";
    /** When it was done. */
    AuditLogEntryOrderField["CreatedAt"] = "CREATED_AT";
    /** The entry's id. */
    AuditLogEntryOrderField["Id"] = "ID";
    /** The row's id. */
    AuditLogEntryOrderField["RecordId"] = "RECORD_ID";
    /** The table of the row. */
    AuditLogEntryOrderField["TableName"] = "TABLE_NAME";
    /** The tenant of the row; null for the platform's own tables. */
    AuditLogEntryOrderField["TenantId"] = "TENANT_ID";
    /** The user who made the change; null if it was no user. */
    AuditLogEntryOrderField["UserId"] = "USER_ID";
})(AuditLogEntryOrderField || (exports.AuditLogEntryOrderField = AuditLogEntryOrderField = {}));
/** How far a bill is. */
var BillStatus;
(function (BillStatus) {
    /** It was cancelled; the period may be billed anew. */
    BillStatus["Cancelled"] = "CANCELLED";
    /** It may still change. */
    BillStatus["Draft"] = "DRAFT";
    /** It is final and due. */
    BillStatus["Finalized"] = "FINALIZED";
    /** It was paid. */
    BillStatus["Paid"] = "PAID";
})(BillStatus || (exports.BillStatus = BillStatus = {}));
/** What `dataSources` can be ordered by. */
var DataSourceOrderField;
(function (DataSourceOrderField) {
    /** When it was set up. */
    DataSourceOrderField["CreatedAt"] = "CREATED_AT";
    /** When its credentials end; 9007199254740991 for never. */
    DataSourceOrderField["CredentialExpirationAt"] = "CREDENTIAL_EXPIRATION_AT";
    /** When it was deleted; null while it is not. */
    DataSourceOrderField["DeletedAt"] = "DELETED_AT";
    /** Its id at the vendor. */
    DataSourceOrderField["ExternalId"] = "EXTERNAL_ID";
    /** The data source's id. */
    DataSourceOrderField["Id"] = "ID";
    /** The integration that it is one of. */
    DataSourceOrderField["IntegrationId"] = "INTEGRATION_ID";
    /** When data last came from it; null if none has. */
    DataSourceOrderField["LastSyncAt"] = "LAST_SYNC_AT";
    /** The one site that it serves; null for the whole tenant. */
    DataSourceOrderField["SiteId"] = "SITE_ID";
    /** Whether it works. */
    DataSourceOrderField["Status"] = "STATUS";
    /** The tenant whose data source it is. */
    DataSourceOrderField["TenantId"] = "TENANT_ID";
    /** When a person or a job last changed it. */
    DataSourceOrderField["UpdatedAt"] = "UPDATED_AT";
})(DataSourceOrderField || (exports.DataSourceOrderField = DataSourceOrderField = {}));
/** Whether a data source works. */
var DataSourceStatus;
(function (DataSourceStatus) {
    /** It does. */
    DataSourceStatus["Active"] = "ACTIVE";
    /** It failed: wrong or expired credentials, or a fault at the vendor. */
    DataSourceStatus["Error"] = "ERROR";
    /** It was switched off. */
    DataSourceStatus["Inactive"] = "INACTIVE";
})(DataSourceStatus || (exports.DataSourceStatus = DataSourceStatus = {}));
/** What `dataSourceToSites` can be ordered by. */
var DataSourceToSiteOrderField;
(function (DataSourceToSiteOrderField) {
    /** When the two were joined. */
    DataSourceToSiteOrderField["CreatedAt"] = "CREATED_AT";
    /** The data source. */
    DataSourceToSiteOrderField["DataSourceId"] = "DATA_SOURCE_ID";
    /** When they were parted; null while they are not. */
    DataSourceToSiteOrderField["DeletedAt"] = "DELETED_AT";
    /** The mapping's id. */
    DataSourceToSiteOrderField["Id"] = "ID";
    /** The site that it serves. */
    DataSourceToSiteOrderField["SiteId"] = "SITE_ID";
    /** The tenant of both. */
    DataSourceToSiteOrderField["TenantId"] = "TENANT_ID";
})(DataSourceToSiteOrderField || (exports.DataSourceToSiteOrderField = DataSourceToSiteOrderField = {}));
/** Which way a list runs. */
var Direction;
(function (Direction) {
    /** The smallest first. */
    Direction["Asc"] = "ASC";
    /** The largest first. */
    Direction["Desc"] = "DESC";
})(Direction || (exports.Direction = Direction = {}));
/** What `entities` can be ordered by. */
var EntityOrderField;
(function (EntityOrderField) {
    /** When it was first seen. */
    EntityOrderField["CreatedAt"] = "CREATED_AT";
    /** The data source that it came from. */
    EntityOrderField["DataSourceId"] = "DATA_SOURCE_ID";
    /** When it was gone from the vendor; null while it is there. */
    EntityOrderField["DeletedAt"] = "DELETED_AT";
    /** What it is: companies, sites, endpoints, identities, groups, tickets, ... */
    EntityOrderField["EntityType"] = "ENTITY_TYPE";
    /** Its id at the vendor; unique with data source and type. */
    EntityOrderField["ExternalId"] = "EXTERNAL_ID";
    /** The entity's id. */
    EntityOrderField["Id"] = "ID";
    /** The integration that it came through. */
    EntityOrderField["IntegrationId"] = "INTEGRATION_ID";
    /** The site that it belongs to, where that is known. */
    EntityOrderField["SiteId"] = "SITE_ID";
    /** The tenant whose data it is. */
    EntityOrderField["TenantId"] = "TENANT_ID";
    /** When its data last changed. */
    EntityOrderField["UpdatedAt"] = "UPDATED_AT";
})(EntityOrderField || (exports.EntityOrderField = EntityOrderField = {}));
/** What `entityRelationships` can be ordered by. */
var EntityRelationshipOrderField;
(function (EntityRelationshipOrderField) {
    /** The entity that belongs to the other. */
    EntityRelationshipOrderField["ChildEntityId"] = "CHILD_ENTITY_ID";
    /** When it was first seen. */
    EntityRelationshipOrderField["CreatedAt"] = "CREATED_AT";
    /** When it ended; null while it holds. */
    EntityRelationshipOrderField["DeletedAt"] = "DELETED_AT";
    /** The relationship's id. */
    EntityRelationshipOrderField["Id"] = "ID";
    /** The entity that the other belongs to. */
    EntityRelationshipOrderField["ParentEntityId"] = "PARENT_ENTITY_ID";
    /** How they belong together: member, contains, assigned, ... */
    EntityRelationshipOrderField["RelationshipType"] = "RELATIONSHIP_TYPE";
    /** The tenant of both entities. */
    EntityRelationshipOrderField["TenantId"] = "TENANT_ID";
    /** When it last changed. */
    EntityRelationshipOrderField["UpdatedAt"] = "UPDATED_AT";
})(EntityRelationshipOrderField || (exports.EntityRelationshipOrderField = EntityRelationshipOrderField = {}));
/** What `eventsLog` can be ordered by. */
var EventLogEntryOrderField;
(function (EventLogEntryOrderField) {
    /** When it happened. */
    EventLogEntryOrderField["CreatedAt"] = "CREATED_AT";
    /** The entity that it happened to. */
    EventLogEntryOrderField["EntityId"] = "ENTITY_ID";
    /** What happened: created, updated, deleted, ... */
    EventLogEntryOrderField["EventType"] = "EVENT_TYPE";
    /** The event's id. */
    EventLogEntryOrderField["Id"] = "ID";
    /** When it was handled; null while it is not. */
    EventLogEntryOrderField["ProcessedAt"] = "PROCESSED_AT";
    /** How often its handling was tried again. */
    EventLogEntryOrderField["RetryCount"] = "RETRY_COUNT";
    /** How far its handling is. */
    EventLogEntryOrderField["Status"] = "STATUS";
    /** The tenant of the entity. */
    EventLogEntryOrderField["TenantId"] = "TENANT_ID";
    /** When its handling last changed. */
    EventLogEntryOrderField["UpdatedAt"] = "UPDATED_AT";
})(EventLogEntryOrderField || (exports.EventLogEntryOrderField = EventLogEntryOrderField = {}));
/** How far the handling of an event is. */
var EventStatus;
(function (EventStatus) {
    /** It ended well. */
    EventStatus["Completed"] = "COMPLETED";
    /** It failed. */
    EventStatus["Failed"] = "FAILED";
    /** It has not begun. */
    EventStatus["Pending"] = "PENDING";
    /** It is at work. */
    EventStatus["Processing"] = "PROCESSING";
})(EventStatus || (exports.EventStatus = EventStatus = {}));
/** What `globalEntities` can be ordered by. */
var GlobalEntityOrderField;
(function (GlobalEntityOrderField) {
    /** When it was first seen. */
    GlobalEntityOrderField["CreatedAt"] = "CREATED_AT";
    /** When it was gone from the vendor; null while it is there. */
    GlobalEntityOrderField["DeletedAt"] = "DELETED_AT";
    /** What it is. */
    GlobalEntityOrderField["EntityType"] = "ENTITY_TYPE";
    /** Its id at the vendor; unique with integration and type. */
    GlobalEntityOrderField["ExternalId"] = "EXTERNAL_ID";
    /** The entity's id. */
    GlobalEntityOrderField["Id"] = "ID";
    /** The integration that it came through. */
    GlobalEntityOrderField["IntegrationId"] = "INTEGRATION_ID";
    /** When its data last changed. */
    GlobalEntityOrderField["UpdatedAt"] = "UPDATED_AT";
})(GlobalEntityOrderField || (exports.GlobalEntityOrderField = GlobalEntityOrderField = {}));
/** What `healthChecks` can be ordered by. */
var HealthCheckOrderField;
(function (HealthCheckOrderField) {
    /** When it was first looked at. */
    HealthCheckOrderField["CreatedAt"] = "CREATED_AT";
    /** What the last failure said. */
    HealthCheckOrderField["ErrorMessage"] = "ERROR_MESSAGE";
    /** Failures in a row; 0 while it is healthy. */
    HealthCheckOrderField["FailureCount"] = "FAILURE_COUNT";
    /** The health check's id. */
    HealthCheckOrderField["Id"] = "ID";
    /** When it was last looked at. */
    HealthCheckOrderField["LastCheckAt"] = "LAST_CHECK_AT";
    /** When it was last found failing. */
    HealthCheckOrderField["LastFailureAt"] = "LAST_FAILURE_AT";
    /** When it was last found well. */
    HealthCheckOrderField["LastSuccessAt"] = "LAST_SUCCESS_AT";
    /** The resource's id; one health check stands for each. */
    HealthCheckOrderField["ResourceId"] = "RESOURCE_ID";
    /** What the resource is. */
    HealthCheckOrderField["ResourceType"] = "RESOURCE_TYPE";
    /** How it is doing. */
    HealthCheckOrderField["Status"] = "STATUS";
    /** The tenant of the resource. */
    HealthCheckOrderField["TenantId"] = "TENANT_ID";
    /** When the last report came. */
    HealthCheckOrderField["UpdatedAt"] = "UPDATED_AT";
})(HealthCheckOrderField || (exports.HealthCheckOrderField = HealthCheckOrderField = {}));
/** What a health check can look at. */
var HealthResourceType;
(function (HealthResourceType) {
    /** An agent on a client device. */
    HealthResourceType["Agent"] = "AGENT";
    /** A data source. */
    HealthResourceType["DataSource"] = "DATA_SOURCE";
    /** An integration, for the tenant. */
    HealthResourceType["Integration"] = "INTEGRATION";
    /** A background job. */
    HealthResourceType["ScheduledJob"] = "SCHEDULED_JOB";
    /** A site. */
    HealthResourceType["Site"] = "SITE";
})(HealthResourceType || (exports.HealthResourceType = HealthResourceType = {}));
/** How a resource is doing. */
var HealthStatus;
(function (HealthStatus) {
    /** The last check failed, but not often enough to be down. */
    HealthStatus["Degraded"] = "DEGRADED";
    /** It failed several times in a row. */
    HealthStatus["Down"] = "DOWN";
    /** The last check was well. */
    HealthStatus["Healthy"] = "HEALTHY";
})(HealthStatus || (exports.HealthStatus = HealthStatus = {}));
/** What `integrations` can be ordered by. */
var IntegrationOrderField;
(function (IntegrationOrderField) {
    /** The kind of product: psa, rmm, security, identity, ... */
    IntegrationOrderField["Category"] = "CATEGORY";
    /** When it was added to the catalogue. */
    IntegrationOrderField["CreatedAt"] = "CREATED_AT";
    /** What the product is. */
    IntegrationOrderField["Description"] = "DESCRIPTION";
    /** The integration's slug, such as `halopsa`. */
    IntegrationOrderField["Id"] = "ID";
    /** Whether it is offered; an integration is switched off, never deleted. */
    IntegrationOrderField["IsActive"] = "IS_ACTIVE";
    /** Where it is set up: once for the tenant, or for each site. */
    IntegrationOrderField["Level"] = "LEVEL";
    /** The product's name. */
    IntegrationOrderField["Name"] = "NAME";
    /** When the platform last changed it. */
    IntegrationOrderField["UpdatedAt"] = "UPDATED_AT";
})(IntegrationOrderField || (exports.IntegrationOrderField = IntegrationOrderField = {}));
/** What `integrationPricingTiers` can be ordered by. */
var IntegrationPricingTierOrderField;
(function (IntegrationPricingTierOrderField) {
    /** When it was created. */
    IntegrationPricingTierOrderField["CreatedAt"] = "CREATED_AT";
    /** When it was deleted; null while it is not. */
    IntegrationPricingTierOrderField["DeletedAt"] = "DELETED_AT";
    /** What is priced. */
    IntegrationPricingTierOrderField["Description"] = "DESCRIPTION";
    /** When it begins to hold. */
    IntegrationPricingTierOrderField["EffectiveFrom"] = "EFFECTIVE_FROM";
    /** When it ceases to hold; null while no end is set. */
    IntegrationPricingTierOrderField["EffectiveUntil"] = "EFFECTIVE_UNTIL";
    /** The tier's id. */
    IntegrationPricingTierOrderField["Id"] = "ID";
    /** The integration that it prices. */
    IntegrationPricingTierOrderField["IntegrationId"] = "INTEGRATION_ID";
    /** The tier's name. */
    IntegrationPricingTierOrderField["Name"] = "NAME";
    /** The tenant that it holds for. */
    IntegrationPricingTierOrderField["TenantId"] = "TENANT_ID";
    /** The price of one unit. */
    IntegrationPricingTierOrderField["UnitCost"] = "UNIT_COST";
    /** When a person or a job last changed it. */
    IntegrationPricingTierOrderField["UpdatedAt"] = "UPDATED_AT";
})(IntegrationPricingTierOrderField || (exports.IntegrationPricingTierOrderField = IntegrationPricingTierOrderField = {}));
/** How far a job is. */
var JobStatus;
(function (JobStatus) {
    /** It ended well. */
    JobStatus["Completed"] = "COMPLETED";
    /** It failed and is not tried again. */
    JobStatus["Failed"] = "FAILED";
    /** It waits for its time, or for its next try. */
    JobStatus["Pending"] = "PENDING";
    /** It is at work. */
    JobStatus["Running"] = "RUNNING";
})(JobStatus || (exports.JobStatus = JobStatus = {}));
/** Where rows without a value stand. */
var Nulls;
(function (Nulls) {
    /** Before all others. */
    Nulls["First"] = "FIRST";
    /** After all others. */
    Nulls["Last"] = "LAST";
})(Nulls || (exports.Nulls = Nulls = {}));
/** What `roles` can be ordered by. */
var RoleOrderField;
(function (RoleOrderField) {
    /** When the role was created. */
    RoleOrderField["CreatedAt"] = "CREATED_AT";
    /** When the role was deleted; null while it is not. */
    RoleOrderField["DeletedAt"] = "DELETED_AT";
    /** What the role is for. */
    RoleOrderField["Description"] = "DESCRIPTION";
    /** The role's id. */
    RoleOrderField["Id"] = "ID";
    /** The role's name. */
    RoleOrderField["Name"] = "NAME";
    /** The tenant that made the role; null for one that is offered to every tenant. */
    RoleOrderField["TenantId"] = "TENANT_ID";
    /** When a person or a job last changed the role. */
    RoleOrderField["UpdatedAt"] = "UPDATED_AT";
})(RoleOrderField || (exports.RoleOrderField = RoleOrderField = {}));
/** What `scheduledJobs` can be ordered by. */
var ScheduledJobOrderField;
(function (ScheduledJobOrderField) {
    /** What it does: `sync.sites`, `sync.devices`, ... */
    ScheduledJobOrderField["Action"] = "ACTION";
    /** How often it was tried. */
    ScheduledJobOrderField["Attempts"] = "ATTEMPTS";
    /** How often it may be tried. */
    ScheduledJobOrderField["AttemptsMax"] = "ATTEMPTS_MAX";
    /** When it was asked for. */
    ScheduledJobOrderField["CreatedAt"] = "CREATED_AT";
    /** Who or what asked for it. */
    ScheduledJobOrderField["CreatedBy"] = "CREATED_BY";
    /** The data source that it works on, if it is one. */
    ScheduledJobOrderField["DataSourceId"] = "DATA_SOURCE_ID";
    /** Why the last try failed. */
    ScheduledJobOrderField["Error"] = "ERROR";
    /** The job's id. */
    ScheduledJobOrderField["Id"] = "ID";
    /** The integration that it works with. */
    ScheduledJobOrderField["IntegrationId"] = "INTEGRATION_ID";
    /** When it is tried again; null if it is not. */
    ScheduledJobOrderField["NextRetryAt"] = "NEXT_RETRY_AT";
    /** Higher goes first; null is the middle. */
    ScheduledJobOrderField["Priority"] = "PRIORITY";
    /** When it is due. */
    ScheduledJobOrderField["ScheduledAt"] = "SCHEDULED_AT";
    /** When it last began; null if it has not. */
    ScheduledJobOrderField["StartedAt"] = "STARTED_AT";
    /** How far it is. */
    ScheduledJobOrderField["Status"] = "STATUS";
    /** The tenant that it works for. */
    ScheduledJobOrderField["TenantId"] = "TENANT_ID";
    /** When it last changed. */
    ScheduledJobOrderField["UpdatedAt"] = "UPDATED_AT";
})(ScheduledJobOrderField || (exports.ScheduledJobOrderField = ScheduledJobOrderField = {}));
/** What `sites` can be ordered by. */
var SiteOrderField;
(function (SiteOrderField) {
    /** When the site was created. */
    SiteOrderField["CreatedAt"] = "CREATED_AT";
    /** When the site was deleted; null while it is not. */
    SiteOrderField["DeletedAt"] = "DELETED_AT";
    /** The site's id. Agents' guids are made of it, so it never changes. */
    SiteOrderField["Id"] = "ID";
    /** The site's name. */
    SiteOrderField["Name"] = "NAME";
    /** The company's id in that PSA. */
    SiteOrderField["PsaCompanyId"] = "PSA_COMPANY_ID";
    /** The PSA in which the site is a company; null if it is not linked. */
    SiteOrderField["PsaIntegrationId"] = "PSA_INTEGRATION_ID";
    /** The id of that company's parent in the PSA, if it has one. */
    SiteOrderField["PsaParentCompanyId"] = "PSA_PARENT_COMPANY_ID";
    /** The name in addresses; unique in the tenant. */
    SiteOrderField["Slug"] = "SLUG";
    /** Whether the site is served; agents of an archived one are turned away. */
    SiteOrderField["Status"] = "STATUS";
    /** The tenant that looks after the site. */
    SiteOrderField["TenantId"] = "TENANT_ID";
    /** When a person or a job last changed the site. */
    SiteOrderField["UpdatedAt"] = "UPDATED_AT";
})(SiteOrderField || (exports.SiteOrderField = SiteOrderField = {}));
/** Whether a site is served. */
var SiteStatus;
(function (SiteStatus) {
    /** It is. */
    SiteStatus["Active"] = "ACTIVE";
    /** It is kept for the record; its agents are turned away. */
    SiteStatus["Archived"] = "ARCHIVED";
    /** It is not at the moment. */
    SiteStatus["Inactive"] = "INACTIVE";
})(SiteStatus || (exports.SiteStatus = SiteStatus = {}));
/** What `tenantBillLineItems` can be ordered by. */
var TenantBillLineItemOrderField;
(function (TenantBillLineItemOrderField) {
    /** The bill that it is on. */
    TenantBillLineItemOrderField["BillId"] = "BILL_ID";
    /** When it was reckoned. */
    TenantBillLineItemOrderField["CreatedAt"] = "CREATED_AT";
    /** What is billed. */
    TenantBillLineItemOrderField["Description"] = "DESCRIPTION";
    /** The line's id. */
    TenantBillLineItemOrderField["Id"] = "ID";
    /** The integration that it bills. */
    TenantBillLineItemOrderField["IntegrationId"] = "INTEGRATION_ID";
    /** The price that it was reckoned with. */
    TenantBillLineItemOrderField["PricingTierId"] = "PRICING_TIER_ID";
    /** The tenant that is billed. */
    TenantBillLineItemOrderField["TenantId"] = "TENANT_ID";
    /** Units times price. */
    TenantBillLineItemOrderField["Total"] = "TOTAL";
    /** How many units. */
    TenantBillLineItemOrderField["Units"] = "UNITS";
    /** The price of one unit at the time. */
    TenantBillLineItemOrderField["UnitCost"] = "UNIT_COST";
})(TenantBillLineItemOrderField || (exports.TenantBillLineItemOrderField = TenantBillLineItemOrderField = {}));
/** What `tenantBills` can be ordered by. */
var TenantBillOrderField;
(function (TenantBillOrderField) {
    /** When it was drafted. */
    TenantBillOrderField["CreatedAt"] = "CREATED_AT";
    /** When it was made final; null while it is a draft. */
    TenantBillOrderField["FinalizedAt"] = "FINALIZED_AT";
    /** The bill's id. */
    TenantBillOrderField["Id"] = "ID";
    /** A note on the bill. */
    TenantBillOrderField["Notes"] = "NOTES";
    /** When it was paid; null while it is not. */
    TenantBillOrderField["PaidAt"] = "PAID_AT";
    /** When it ends. */
    TenantBillOrderField["PeriodEnd"] = "PERIOD_END";
    /** When the billed period begins. */
    TenantBillOrderField["PeriodStart"] = "PERIOD_START";
    /** How far the bill is. */
    TenantBillOrderField["Status"] = "STATUS";
    /** The tenant that is billed. */
    TenantBillOrderField["TenantId"] = "TENANT_ID";
    /** The sum of its lines and adjustments. */
    TenantBillOrderField["Total"] = "TOTAL";
    /** When it last changed. */
    TenantBillOrderField["UpdatedAt"] = "UPDATED_AT";
})(TenantBillOrderField || (exports.TenantBillOrderField = TenantBillOrderField = {}));
/** What `tenantBillingAdjustments` can be ordered by. */
var TenantBillingAdjustmentOrderField;
(function (TenantBillingAdjustmentOrderField) {
    /** How much, in the bill's currency. */
    TenantBillingAdjustmentOrderField["Amount"] = "AMOUNT";
    /** When it was given. */
    TenantBillingAdjustmentOrderField["CreatedAt"] = "CREATED_AT";
    /** The user who gave it; null if it was no user. */
    TenantBillingAdjustmentOrderField["CreatedBy"] = "CREATED_BY";
    /** When it was taken back; null while it holds. */
    TenantBillingAdjustmentOrderField["DeletedAt"] = "DELETED_AT";
    /** When it begins to hold. */
    TenantBillingAdjustmentOrderField["EffectiveFrom"] = "EFFECTIVE_FROM";
    /** When it ceases to hold. */
    TenantBillingAdjustmentOrderField["EffectiveTo"] = "EFFECTIVE_TO";
    /** The adjustment's id. */
    TenantBillingAdjustmentOrderField["Id"] = "ID";
    /** The integration that it is for; null for the whole bill. */
    TenantBillingAdjustmentOrderField["IntegrationId"] = "INTEGRATION_ID";
    /** Why it was given. */
    TenantBillingAdjustmentOrderField["Reason"] = "REASON";
    /** The tenant whose bills it changes. */
    TenantBillingAdjustmentOrderField["TenantId"] = "TENANT_ID";
    /** Which way it goes. */
    TenantBillingAdjustmentOrderField["Type"] = "TYPE";
    /** When a person or a job last changed it. */
    TenantBillingAdjustmentOrderField["UpdatedAt"] = "UPDATED_AT";
})(TenantBillingAdjustmentOrderField || (exports.TenantBillingAdjustmentOrderField = TenantBillingAdjustmentOrderField = {}));
/** What `tenants` can be ordered by. */
var TenantOrderField;
(function (TenantOrderField) {
    /** When the tenant was created. */
    TenantOrderField["CreatedAt"] = "CREATED_AT";
    /** When the tenant was deleted; null while it is not. */
    TenantOrderField["DeletedAt"] = "DELETED_AT";
    /** The tenant's id. */
    TenantOrderField["Id"] = "ID";
    /** The company's name. */
    TenantOrderField["Name"] = "NAME";
    /** Whether its people may work; any but ACTIVE shuts them out at once. */
    TenantOrderField["Status"] = "STATUS";
    /** When a person or a job last changed the tenant. */
    TenantOrderField["UpdatedAt"] = "UPDATED_AT";
})(TenantOrderField || (exports.TenantOrderField = TenantOrderField = {}));
/** Whether a tenant's people may work. */
var TenantStatus;
(function (TenantStatus) {
    /** They may. */
    TenantStatus["Active"] = "ACTIVE";
    /** The tenant has left; nobody may sign in. */
    TenantStatus["Inactive"] = "INACTIVE";
    /** The tenant is barred for now; nobody may sign in. */
    TenantStatus["Suspended"] = "SUSPENDED";
})(TenantStatus || (exports.TenantStatus = TenantStatus = {}));
/** What `users` can be ordered by. */
var UserOrderField;
(function (UserOrderField) {
    /** When the user was created or invited. */
    UserOrderField["CreatedAt"] = "CREATED_AT";
    /** When the user was deleted; null while they are not. */
    UserOrderField["DeletedAt"] = "DELETED_AT";
    /** The e-mail address; unique in the tenant, case aside. */
    UserOrderField["Email"] = "EMAIL";
    /** The identity provider's subject (for Clerk the user id). */
    UserOrderField["Id"] = "ID";
    /** When the user was last seen; null if never. */
    UserOrderField["LastActivityAt"] = "LAST_ACTIVITY_AT";
    /** The person's name. */
    UserOrderField["Name"] = "NAME";
    /** The role that says what the user may do. */
    UserOrderField["RoleId"] = "ROLE_ID";
    /** Whether the user may sign in. */
    UserOrderField["Status"] = "STATUS";
    /** The tenant that the user works for. */
    UserOrderField["TenantId"] = "TENANT_ID";
    /** When a person or a job last changed the user. */
    UserOrderField["UpdatedAt"] = "UPDATED_AT";
})(UserOrderField || (exports.UserOrderField = UserOrderField = {}));
/** Whether a user may sign in. */
var UserStatus;
(function (UserStatus) {
    /** They may. */
    UserStatus["Active"] = "ACTIVE";
    /** They were switched off. */
    UserStatus["Inactive"] = "INACTIVE";
    /** They were invited and have not signed in yet. */
    UserStatus["Pending"] = "PENDING";
})(UserStatus || (exports.UserStatus = UserStatus = {}));
/** What kind of caller is asking. */
var ViewerKind;
(function (ViewerKind) {
    /** The operator of this server, by a service token. */
    ViewerKind["Platform"] = "PLATFORM";
    /** A person, signed in at the identity provider. */
    ViewerKind["User"] = "USER";
})(ViewerKind || (exports.ViewerKind = ViewerKind = {}));
