/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';
/** One term of the order of `agents`. */
export type AgentOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: AgentOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `agents` can be ordered by. */
export type AgentOrderField =
  /** When its row was created. */
  | 'CREATED_AT'
  /** When it was deleted; null while it is not. */
  | 'DELETED_AT'
  /** The address that it is seen under from outside. */
  | 'EXT_ADDRESS'
  /** What tells the device from others across reinstalls; unique in the tenant. */
  | 'GUID'
  /** The device's host name. */
  | 'HOSTNAME'
  /** The agent's id, also the device id that it sends. */
  | 'ID'
  /** Its address in the local network. */
  | 'IP_ADDRESS'
  /** When it last checked in; null if never. */
  | 'LAST_CHECKIN_AT'
  /** Its hardware address. */
  | 'MAC_ADDRESS'
  /** The operating system: windows, macos, linux. */
  | 'PLATFORM'
  /** When it enrolled. */
  | 'REGISTERED_AT'
  /** The site where the device is. */
  | 'SITE_ID'
  /** The tenant that looks after the device. */
  | 'TENANT_ID'
  /** When a person or a job last changed it; a check-in does not count. */
  | 'UPDATED_AT'
  /** The agent's version. */
  | 'VERSION';

/** How far a bill is. */
export type BillStatus =
  /** It was cancelled; the period may be billed anew. */
  | 'CANCELLED'
  /** It may still change. */
  | 'DRAFT'
  /** It is final and due. */
  | 'FINALIZED'
  /** It was paid. */
  | 'PAID';

/** Compares a yes or no. */
export type BooleanFilter = {
  /** Is this value; null: has no value. */
  eq?: boolean | null | undefined;
  /** True: has no value. False: has one. */
  isNull?: boolean | null | undefined;
  /** Is not this value, or has none; null: has a value. */
  neq?: boolean | null | undefined;
};

/** Whether a data source works. */
export type DataSourceStatus =
  /** It does. */
  | 'ACTIVE'
  /** It failed: wrong or expired credentials, or a fault at the vendor. */
  | 'ERROR'
  /** It was switched off. */
  | 'INACTIVE';

/** Which way a list runs. */
export type Direction =
  /** The smallest first. */
  | 'ASC'
  /** The largest first. */
  | 'DESC';

/** How a resource is doing. */
export type HealthStatus =
  /** The last check failed, but not often enough to be down. */
  | 'DEGRADED'
  /** It failed several times in a row. */
  | 'DOWN'
  /** The last check was well. */
  | 'HEALTHY';

/** Compares an id. */
export type IdFilter = {
  /** Is this value; null: has no value. */
  eq?: string | null | undefined;
  /** Is one of these. */
  in?: Array<string> | null | undefined;
  /** True: has no value. False: has one. */
  isNull?: boolean | null | undefined;
  /** Is not this value, or has none; null: has a value. */
  neq?: string | null | undefined;
  /** Is none of these, or has no value. */
  notIn?: Array<string> | null | undefined;
};

/** Which rows of `integrations` to keep; all that is said must hold. */
export type IntegrationFilter = {
  /** All of these hold, too. */
  and?: Array<IntegrationFilter> | null | undefined;
  /** The kind of product: psa, rmm, security, identity, ... */
  category?: StringFilter | null | undefined;
  /** When it was added to the catalogue. */
  createdAt?: TimestampFilter | null | undefined;
  /** What the product is. */
  description?: StringFilter | null | undefined;
  /** The integration's slug, such as `halopsa`. */
  id?: IdFilter | null | undefined;
  /** Whether it is offered; an integration is switched off, never deleted. */
  isActive?: BooleanFilter | null | undefined;
  /** Where it is set up: once for the tenant, or for each site. */
  level?: StringFilter | null | undefined;
  /** The product's name. */
  name?: StringFilter | null | undefined;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: IntegrationFilter | null | undefined;
  /** At least one of these holds, too; an empty list never does. */
  or?: Array<IntegrationFilter> | null | undefined;
  /** The entity types that it brings: sites, companies, devices, tickets, ... */
  supportedTypes?: StringListFilter | null | undefined;
  /** When the platform last changed it. */
  updatedAt?: TimestampFilter | null | undefined;
};

/** Looks into a JSON value. */
export type JsonFilter = {
  /** Has these values at these places, all of them. */
  at?: Array<JsonPathFilter> | null | undefined;
  /** Contains this value, as PostgreSQL's `@>` has it. */
  contains?: unknown;
  /** True: has no value. False: has one. */
  isNull?: boolean | null | undefined;
};

/** A place inside of a JSON value, and what must stand there. */
export type JsonPathFilter = {
  /** What must stand there. */
  eq: unknown;
  /** Keys and list positions from the outside in: `["os", "name"]`. */
  path: Array<string>;
};

/** How far a job is. */
export type JobStatus =
  /** It ended well. */
  | 'COMPLETED'
  /** It failed and is not tried again. */
  | 'FAILED'
  /** It waits for its time, or for its next try. */
  | 'PENDING'
  /** It is at work. */
  | 'RUNNING';

/** Where rows without a value stand. */
export type Nulls =
  /** Before all others. */
  | 'FIRST'
  /** After all others. */
  | 'LAST';

/** Which rows of `sites` to keep; all that is said must hold. */
export type SiteFilter = {
  /** All of these hold, too. */
  and?: Array<SiteFilter> | null | undefined;
  /** When the site was created. */
  createdAt?: TimestampFilter | null | undefined;
  /** When the site was deleted; null while it is not. */
  deletedAt?: TimestampFilter | null | undefined;
  /** The site's id. Agents' guids are made of it, so it never changes. */
  id?: IdFilter | null | undefined;
  /** Free data of the dashboards about this site. */
  metadata?: JsonFilter | null | undefined;
  /** The site's name. */
  name?: StringFilter | null | undefined;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: SiteFilter | null | undefined;
  /** At least one of these holds, too; an empty list never does. */
  or?: Array<SiteFilter> | null | undefined;
  /** The company's id in that PSA. */
  psaCompanyId?: StringFilter | null | undefined;
  /** Looks at the row behind `psaIntegration`: the PSA in which the site is a company. */
  psaIntegration?: IntegrationFilter | null | undefined;
  /** The PSA in which the site is a company; null if it is not linked. */
  psaIntegrationId?: IdFilter | null | undefined;
  /** The id of that company's parent in the PSA, if it has one. */
  psaParentCompanyId?: StringFilter | null | undefined;
  /** The name in addresses; unique in the tenant. */
  slug?: StringFilter | null | undefined;
  /** Whether the site is served; agents of an archived one are turned away. */
  status?: SiteStatusFilter | null | undefined;
  /** Looks at the row behind `tenant`: the tenant that looks after the site. */
  tenant?: TenantFilter | null | undefined;
  /** The tenant that looks after the site. */
  tenantId?: IdFilter | null | undefined;
  /** When a person or a job last changed the site. */
  updatedAt?: TimestampFilter | null | undefined;
};

/** One term of the order of `sites`. */
export type SiteOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: SiteOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `sites` can be ordered by. */
export type SiteOrderField =
  /** When the site was created. */
  | 'CREATED_AT'
  /** When the site was deleted; null while it is not. */
  | 'DELETED_AT'
  /** The site's id. Agents' guids are made of it, so it never changes. */
  | 'ID'
  /** The site's name. */
  | 'NAME'
  /** The company's id in that PSA. */
  | 'PSA_COMPANY_ID'
  /** The PSA in which the site is a company; null if it is not linked. */
  | 'PSA_INTEGRATION_ID'
  /** The id of that company's parent in the PSA, if it has one. */
  | 'PSA_PARENT_COMPANY_ID'
  /** The name in addresses; unique in the tenant. */
  | 'SLUG'
  /** Whether the site is served; agents of an archived one are turned away. */
  | 'STATUS'
  /** The tenant that looks after the site. */
  | 'TENANT_ID'
  /** When a person or a job last changed the site. */
  | 'UPDATED_AT';

/** Whether a site is served. */
export type SiteStatus =
  /** It is. */
  | 'ACTIVE'
  /** It is kept for the record; its agents are turned away. */
  | 'ARCHIVED'
  /** It is not at the moment. */
  | 'INACTIVE';

/** Compares a SiteStatus. */
export type SiteStatusFilter = {
  /** Is this value; null: has no value. */
  eq?: SiteStatus | null | undefined;
  /** Is one of these. */
  in?: Array<SiteStatus> | null | undefined;
  /** True: has no value. False: has one. */
  isNull?: boolean | null | undefined;
  /** Is not this value, or has none; null: has a value. */
  neq?: SiteStatus | null | undefined;
  /** Is none of these, or has no value. */
  notIn?: Array<SiteStatus> | null | undefined;
};

/** Compares a text, by code points. */
export type StringFilter = {
  /** Contains this text, case aside. */
  contains?: string | null | undefined;
  /** Ends with this text, case aside. */
  endsWith?: string | null | undefined;
  /** Is this value; null: has no value. */
  eq?: string | null | undefined;
  /** Is greater than this. */
  gt?: string | null | undefined;
  /** Is this or greater. */
  gte?: string | null | undefined;
  /** Is one of these. */
  in?: Array<string> | null | undefined;
  /** True: has no value. False: has one. */
  isNull?: boolean | null | undefined;
  /** Is less than this. */
  lt?: string | null | undefined;
  /** Is this or less. */
  lte?: string | null | undefined;
  /** Is not this value, or has none; null: has a value. */
  neq?: string | null | undefined;
  /** Is none of these, or has no value. */
  notIn?: Array<string> | null | undefined;
  /** Begins with this text, case aside. */
  startsWith?: string | null | undefined;
};

/** Compares a list of texts. */
export type StringListFilter = {
  /** Has this text among its members. */
  has?: string | null | undefined;
  /** True: has no value. False: has one. */
  isNull?: boolean | null | undefined;
};

/** Which rows of `tenants` to keep; all that is said must hold. */
export type TenantFilter = {
  /** All of these hold, too. */
  and?: Array<TenantFilter> | null | undefined;
  /** When the tenant was created. */
  createdAt?: TimestampFilter | null | undefined;
  /** When the tenant was deleted; null while it is not. */
  deletedAt?: TimestampFilter | null | undefined;
  /** The tenant's id. */
  id?: IdFilter | null | undefined;
  /** Free data of the dashboards about this tenant. */
  metadata?: JsonFilter | null | undefined;
  /** The company's name. */
  name?: StringFilter | null | undefined;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: TenantFilter | null | undefined;
  /** At least one of these holds, too; an empty list never does. */
  or?: Array<TenantFilter> | null | undefined;
  /** Whether its people may work; any but ACTIVE shuts them out at once. */
  status?: TenantStatusFilter | null | undefined;
  /** When a person or a job last changed the tenant. */
  updatedAt?: TimestampFilter | null | undefined;
};

/** Whether a tenant's people may work. */
export type TenantStatus =
  /** They may. */
  | 'ACTIVE'
  /** The tenant has left; nobody may sign in. */
  | 'INACTIVE'
  /** The tenant is barred for now; nobody may sign in. */
  | 'SUSPENDED';

/** Compares a TenantStatus. */
export type TenantStatusFilter = {
  /** Is this value; null: has no value. */
  eq?: TenantStatus | null | undefined;
  /** Is one of these. */
  in?: Array<TenantStatus> | null | undefined;
  /** True: has no value. False: has one. */
  isNull?: boolean | null | undefined;
  /** Is not this value, or has none; null: has a value. */
  neq?: TenantStatus | null | undefined;
  /** Is none of these, or has no value. */
  notIn?: Array<TenantStatus> | null | undefined;
};

/** Compares a time. */
export type TimestampFilter = {
  /** Is this value; null: has no value. */
  eq?: number | null | undefined;
  /** Is greater than this. */
  gt?: number | null | undefined;
  /** Is this or greater. */
  gte?: number | null | undefined;
  /** Is one of these. */
  in?: Array<number> | null | undefined;
  /** True: has no value. False: has one. */
  isNull?: boolean | null | undefined;
  /** Is less than this. */
  lt?: number | null | undefined;
  /** Is this or less. */
  lte?: number | null | undefined;
  /** Is not this value, or has none; null: has a value. */
  neq?: number | null | undefined;
  /** Is none of these, or has no value. */
  notIn?: Array<number> | null | undefined;
};

/** What kind of caller is asking. */
export type ViewerKind =
  /** The operator of this server, by a service token. */
  | 'PLATFORM'
  /** A person, signed in at the identity provider. */
  | 'USER';

export type SiteAgentsQueryVariables = Exact<{
  siteId: string;
  orderBy?: Array<AgentOrder> | AgentOrder | null | undefined;
  recent: number;
}>;


export type SiteAgentsQuery = { site: { id: string, name: string, agents: { totalCount: number, nodes: Array<{ id: string, hostname: string, version: string, ipAddress: string | null, lastCheckinAt: number | null, healthCheck: { id: string, status: HealthStatus } | null }> } | null, online: { totalCount: number } | null } | null };

export type AgentsOfSitesNamedQueryVariables = Exact<{
  name: string;
}>;


export type AgentsOfSitesNamedQuery = { agents: { totalCount: number, nodes: Array<{ id: string, hostname: string, site: { id: string, name: string } | null }> } };

export type BillsQueryVariables = Exact<{
  since: number;
  least: string;
}>;


export type BillsQuery = { tenantBills: { nodes: Array<{ id: string, status: BillStatus, total: string, periodStart: number, paidAt: number | null, lineItems: { nodes: Array<{ id: string, integration: { id: string, name: string } | null }> } | null }> } };

export type CatalogueQueryVariables = Exact<{ [key: string]: never; }>;


export type CatalogueQuery = { integrations: { nodes: Array<{ id: string, name: string, category: string, supportedTypes: Array<string>, configSchema: unknown, dataSources: { totalCount: number, nodes: Array<{ id: string, status: DataSourceStatus, lastSyncAt: number | null }> } | null }> } };

export type NotWellQueryVariables = Exact<{
  statuses: Array<HealthStatus> | HealthStatus;
}>;


export type NotWellQuery = { healthChecks: { nodes: Array<{ id: string, status: HealthStatus, errorMessage: string | null, resource:
        | { __typename: 'Agent', id: string, hostname: string }
        | { __typename: 'DataSource', id: string, externalId: string | null }
        | { __typename: 'Integration', id: string, name: string }
        | { __typename: 'ScheduledJob', id: string, action: string }
        | { __typename: 'Site', id: string, name: string }
       | null }> } };

export type JobBoardQueryVariables = Exact<{
  action: string;
}>;


export type JobBoardQuery = { dataSources: { nodes: Array<{ id: string, status: DataSourceStatus, integration: { id: string, name: string } | null, newest: { nodes: Array<{ id: string, status: JobStatus, error: string | null, attempts: number, scheduledAt: number, payload: unknown }> } | null }> }, pending: { totalCount: number }, running: { totalCount: number }, failed: { totalCount: number }, all: { totalCount: number } };

export type MeQueryVariables = Exact<{ [key: string]: never; }>;


export type MeQuery = { viewer: { id: string, kind: ViewerKind, rights: Array<string>, expiresAt: number, user: { id: string, name: string, metadata: unknown } | null, tenant: { id: string, name: string } | null, role: { id: string, name: string } | null } | null };

export type UsersAtSiteQueryVariables = Exact<{
  siteId: unknown;
}>;


export type UsersAtSiteQuery = { users: { totalCount: number, nodes: Array<{ id: string, email: string, role: { id: string, name: string } | null }> } };

export type SiteRowFragment = { id: string, name: string, slug: string, status: SiteStatus, metadata: unknown, updatedAt: number, psaIntegration: { id: string, name: string } | null, agents: { totalCount: number } | null };

export type SitesPageQueryVariables = Exact<{
  size: number;
  skipped: number;
  search?: string | null | undefined;
  where?: SiteFilter | null | undefined;
  orderBy?: Array<SiteOrder> | SiteOrder | null | undefined;
}>;


export type SitesPageQuery = { sites: { totalCount: number, nodes: Array<{ id: string, name: string, slug: string, status: SiteStatus, metadata: unknown, updatedAt: number, psaIntegration: { id: string, name: string } | null, agents: { totalCount: number } | null }> } };

export type SitesScrollQueryVariables = Exact<{
  first: number;
  after?: string | null | undefined;
  status: SiteStatus;
}>;


export type SitesScrollQuery = { sites: { edges: Array<{ cursor: string, node: { id: string, name: string, slug: string, status: SiteStatus, metadata: unknown, updatedAt: number, psaIntegration: { id: string, name: string } | null, agents: { totalCount: number } | null } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export const SiteRowFragmentDoc = {"kind":"Document","definitions":[{"kind":"FragmentDefinition","name":{"kind":"Name","value":"SiteRow"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Site"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"slug"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"metadata"}},{"kind":"Field","name":{"kind":"Name","value":"updatedAt"}},{"kind":"Field","name":{"kind":"Name","value":"psaIntegration"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"agents"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}}]}}]}}]} as unknown as DocumentNode<SiteRowFragment, unknown>;
export const SiteAgentsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"SiteAgents"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"siteId"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"orderBy"}},"type":{"kind":"ListType","type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"AgentOrder"}}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"recent"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Timestamp"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"site"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"siteId"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"agents"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"100"}},{"kind":"Argument","name":{"kind":"Name","value":"orderBy"},"value":{"kind":"Variable","name":{"kind":"Name","value":"orderBy"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"hostname"}},{"kind":"Field","name":{"kind":"Name","value":"version"}},{"kind":"Field","name":{"kind":"Name","value":"ipAddress"}},{"kind":"Field","name":{"kind":"Name","value":"lastCheckinAt"}},{"kind":"Field","name":{"kind":"Name","value":"healthCheck"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}}]}}]}}]}},{"kind":"Field","alias":{"kind":"Name","value":"online"},"name":{"kind":"Name","value":"agents"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}},{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"lastCheckinAt"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"gte"},"value":{"kind":"Variable","name":{"kind":"Name","value":"recent"}}}]}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}}]}}]}}]}}]} as unknown as DocumentNode<SiteAgentsQuery, SiteAgentsQueryVariables>;
export const AgentsOfSitesNamedDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"AgentsOfSitesNamed"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"name"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"agents"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"20"}},{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"site"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"name"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"contains"},"value":{"kind":"Variable","name":{"kind":"Name","value":"name"}}}]}}]}},{"kind":"ObjectField","name":{"kind":"Name","value":"or"},"value":{"kind":"ListValue","values":[{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"platform"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"eq"},"value":{"kind":"StringValue","value":"windows","block":false}}]}}]},{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"version"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"startsWith"},"value":{"kind":"StringValue","value":"2","block":false}}]}}]}]}}]}},{"kind":"Argument","name":{"kind":"Name","value":"orderBy"},"value":{"kind":"ListValue","values":[{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"field"},"value":{"kind":"EnumValue","value":"LAST_CHECKIN_AT"}},{"kind":"ObjectField","name":{"kind":"Name","value":"direction"},"value":{"kind":"EnumValue","value":"DESC"}},{"kind":"ObjectField","name":{"kind":"Name","value":"nulls"},"value":{"kind":"EnumValue","value":"LAST"}}]},{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"field"},"value":{"kind":"EnumValue","value":"HOSTNAME"}}]}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"hostname"}},{"kind":"Field","name":{"kind":"Name","value":"site"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}}]}}]}}]}}]} as unknown as DocumentNode<AgentsOfSitesNamedQuery, AgentsOfSitesNamedQueryVariables>;
export const BillsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Bills"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"since"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Timestamp"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"least"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Decimal"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"tenantBills"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"periodStart"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"gte"},"value":{"kind":"Variable","name":{"kind":"Name","value":"since"}}}]}},{"kind":"ObjectField","name":{"kind":"Name","value":"total"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"gte"},"value":{"kind":"Variable","name":{"kind":"Name","value":"least"}}}]}}]}},{"kind":"Argument","name":{"kind":"Name","value":"orderBy"},"value":{"kind":"ListValue","values":[{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"field"},"value":{"kind":"EnumValue","value":"PERIOD_START"}},{"kind":"ObjectField","name":{"kind":"Name","value":"direction"},"value":{"kind":"EnumValue","value":"DESC"}}]}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"total"}},{"kind":"Field","name":{"kind":"Name","value":"periodStart"}},{"kind":"Field","name":{"kind":"Name","value":"paidAt"}},{"kind":"Field","name":{"kind":"Name","value":"lineItems"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"5"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"integration"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}}]}}]}}]}}]}}]}}]} as unknown as DocumentNode<BillsQuery, BillsQueryVariables>;
export const CatalogueDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Catalogue"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"integrations"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"isActive"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"eq"},"value":{"kind":"BooleanValue","value":true}}]}}]}},{"kind":"Argument","name":{"kind":"Name","value":"orderBy"},"value":{"kind":"ListValue","values":[{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"field"},"value":{"kind":"EnumValue","value":"CATEGORY"}}]},{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"field"},"value":{"kind":"EnumValue","value":"NAME"}}]}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"category"}},{"kind":"Field","name":{"kind":"Name","value":"supportedTypes"}},{"kind":"Field","name":{"kind":"Name","value":"configSchema"}},{"kind":"Field","name":{"kind":"Name","value":"dataSources"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}},{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"siteId"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"isNull"},"value":{"kind":"BooleanValue","value":true}}]}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"lastSyncAt"}}]}}]}}]}}]}}]}}]} as unknown as DocumentNode<CatalogueQuery, CatalogueQueryVariables>;
export const NotWellDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"NotWell"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"statuses"}},"type":{"kind":"NonNullType","type":{"kind":"ListType","type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"HealthStatus"}}}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"healthChecks"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"status"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"in"},"value":{"kind":"Variable","name":{"kind":"Name","value":"statuses"}}}]}}]}},{"kind":"Argument","name":{"kind":"Name","value":"orderBy"},"value":{"kind":"ListValue","values":[{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"field"},"value":{"kind":"EnumValue","value":"LAST_CHECK_AT"}},{"kind":"ObjectField","name":{"kind":"Name","value":"direction"},"value":{"kind":"EnumValue","value":"DESC"}}]}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"errorMessage"}},{"kind":"Field","name":{"kind":"Name","value":"resource"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Agent"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"hostname"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Site"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"DataSource"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"externalId"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"ScheduledJob"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"action"}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Integration"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}}]}}]}}]}}]}}]} as unknown as DocumentNode<NotWellQuery, NotWellQueryVariables>;
export const JobBoardDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"JobBoard"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"action"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"dataSources"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"20"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"integration"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","alias":{"kind":"Name","value":"newest"},"name":{"kind":"Name","value":"scheduledJobs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}},{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"action"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"eq"},"value":{"kind":"Variable","name":{"kind":"Name","value":"action"}}}]}}]}},{"kind":"Argument","name":{"kind":"Name","value":"orderBy"},"value":{"kind":"ListValue","values":[{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"field"},"value":{"kind":"EnumValue","value":"SCHEDULED_AT"}},{"kind":"ObjectField","name":{"kind":"Name","value":"direction"},"value":{"kind":"EnumValue","value":"DESC"}}]}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"error"}},{"kind":"Field","name":{"kind":"Name","value":"attempts"}},{"kind":"Field","name":{"kind":"Name","value":"scheduledAt"}},{"kind":"Field","name":{"kind":"Name","value":"payload"}}]}}]}}]}}]}},{"kind":"Field","alias":{"kind":"Name","value":"pending"},"name":{"kind":"Name","value":"scheduledJobs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}},{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"status"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"eq"},"value":{"kind":"EnumValue","value":"PENDING"}}]}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}}]}},{"kind":"Field","alias":{"kind":"Name","value":"running"},"name":{"kind":"Name","value":"scheduledJobs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}},{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"status"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"eq"},"value":{"kind":"EnumValue","value":"RUNNING"}}]}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}}]}},{"kind":"Field","alias":{"kind":"Name","value":"failed"},"name":{"kind":"Name","value":"scheduledJobs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}},{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"status"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"eq"},"value":{"kind":"EnumValue","value":"FAILED"}}]}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}}]}},{"kind":"Field","alias":{"kind":"Name","value":"all"},"name":{"kind":"Name","value":"scheduledJobs"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}}]}}]}}]} as unknown as DocumentNode<JobBoardQuery, JobBoardQueryVariables>;
export const MeDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Me"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"viewer"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"kind"}},{"kind":"Field","name":{"kind":"Name","value":"rights"}},{"kind":"Field","name":{"kind":"Name","value":"expiresAt"}},{"kind":"Field","name":{"kind":"Name","value":"user"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"metadata"}}]}},{"kind":"Field","name":{"kind":"Name","value":"tenant"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"role"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}}]}}]}}]} as unknown as DocumentNode<MeQuery, MeQueryVariables>;
export const UsersAtSiteDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"UsersAtSite"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"siteId"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"JSON"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"users"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"metadata"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"at"},"value":{"kind":"ListValue","values":[{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"path"},"value":{"kind":"ListValue","values":[{"kind":"StringValue","value":"current_site","block":false}]}},{"kind":"ObjectField","name":{"kind":"Name","value":"eq"},"value":{"kind":"Variable","name":{"kind":"Name","value":"siteId"}}}]}]}}]}}]}},{"kind":"Argument","name":{"kind":"Name","value":"orderBy"},"value":{"kind":"ListValue","values":[{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"field"},"value":{"kind":"EnumValue","value":"NAME"}}]}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"email"}},{"kind":"Field","name":{"kind":"Name","value":"role"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}}]}}]}}]}}]} as unknown as DocumentNode<UsersAtSiteQuery, UsersAtSiteQueryVariables>;
export const SitesPageDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"SitesPage"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"size"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"skipped"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"search"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"where"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"SiteFilter"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"orderBy"}},"type":{"kind":"ListType","type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"SiteOrder"}}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"sites"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"Variable","name":{"kind":"Name","value":"size"}}},{"kind":"Argument","name":{"kind":"Name","value":"offset"},"value":{"kind":"Variable","name":{"kind":"Name","value":"skipped"}}},{"kind":"Argument","name":{"kind":"Name","value":"search"},"value":{"kind":"Variable","name":{"kind":"Name","value":"search"}}},{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"Variable","name":{"kind":"Name","value":"where"}}},{"kind":"Argument","name":{"kind":"Name","value":"orderBy"},"value":{"kind":"Variable","name":{"kind":"Name","value":"orderBy"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}},{"kind":"Field","name":{"kind":"Name","value":"nodes"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"SiteRow"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"SiteRow"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Site"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"slug"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"metadata"}},{"kind":"Field","name":{"kind":"Name","value":"updatedAt"}},{"kind":"Field","name":{"kind":"Name","value":"psaIntegration"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"agents"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}}]}}]}}]} as unknown as DocumentNode<SitesPageQuery, SitesPageQueryVariables>;
export const SitesScrollDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"SitesScroll"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"first"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Int"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"status"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"SiteStatus"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"sites"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"Variable","name":{"kind":"Name","value":"first"}}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}},{"kind":"Argument","name":{"kind":"Name","value":"where"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"status"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"eq"},"value":{"kind":"Variable","name":{"kind":"Name","value":"status"}}}]}}]}},{"kind":"Argument","name":{"kind":"Name","value":"orderBy"},"value":{"kind":"ListValue","values":[{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"field"},"value":{"kind":"EnumValue","value":"NAME"}}]}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"edges"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"cursor"}},{"kind":"Field","name":{"kind":"Name","value":"node"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"FragmentSpread","name":{"kind":"Name","value":"SiteRow"}}]}}]}},{"kind":"Field","name":{"kind":"Name","value":"pageInfo"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"hasNextPage"}},{"kind":"Field","name":{"kind":"Name","value":"endCursor"}}]}}]}}]}},{"kind":"FragmentDefinition","name":{"kind":"Name","value":"SiteRow"},"typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Site"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"slug"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"metadata"}},{"kind":"Field","name":{"kind":"Name","value":"updatedAt"}},{"kind":"Field","name":{"kind":"Name","value":"psaIntegration"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"agents"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}}]}}]}}]} as unknown as DocumentNode<SitesScrollQuery, SitesScrollQueryVariables>;