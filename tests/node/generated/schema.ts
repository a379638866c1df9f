export type Maybe<T> = T | null;
export type InputMaybe<T> = Maybe<T>;
/** All built-in and custom scalars, mapped to their actual values */
export type Scalars = {
  ID: { input: string; output: string; }
  String: { input: string; output: string; }
  Boolean: { input: boolean; output: boolean; }
  Int: { input: number; output: number; }
  Float: { input: number; output: number; }
  /** An exact decimal number, written as a string: "12.50". Never a float. */
  Decimal: { input: string; output: string; }
  /** Any JSON value: object, list, string, number, boolean or null. */
  JSON: { input: unknown; output: unknown; }
  /** Milliseconds since the epoch (UTC), a whole number that JSON holds exactly (53 bits). */
  Timestamp: { input: number; output: number; }
};

/** Which way an adjustment goes. */
export enum AdjustmentType {
  /** It lowers the bill by an amount. */
  Credit = 'CREDIT',
  /** It raises the bill by an amount. */
  Debit = 'DEBIT',
  /** It lowers the bill by an agreed reduction. */
  Discount = 'DISCOUNT'
}

/** Compares a AdjustmentType. */
export type AdjustmentTypeFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<AdjustmentType>;
  /** Is one of these. */
  in?: InputMaybe<Array<AdjustmentType>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<AdjustmentType>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<AdjustmentType>>;
};

/** The program of ours on one client device; it checks in every minute. */
export type Agent = {
  __typename?: 'Agent';
  /** The calls of this agent. */
  apiLogs?: Maybe<AgentApiLogConnection>;
  /** When its row was created. */
  createdAt: Scalars['Timestamp']['output'];
  /** When it was deleted; null while it is not. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** The address that it is seen under from outside. */
  extAddress?: Maybe<Scalars['String']['output']>;
  /** What tells the device from others across reinstalls; unique in the tenant. */
  guid: Scalars['String']['output'];
  /** Its health; null while nothing has been reported. */
  healthCheck?: Maybe<HealthCheck>;
  /** The device's host name. */
  hostname: Scalars['String']['output'];
  /** The agent's id, also the device id that it sends. */
  id: Scalars['ID']['output'];
  /** Its address in the local network. */
  ipAddress?: Maybe<Scalars['String']['output']>;
  /** When it last checked in; null if never. */
  lastCheckinAt?: Maybe<Scalars['Timestamp']['output']>;
  /** Its hardware address. */
  macAddress?: Maybe<Scalars['String']['output']>;
  /** The operating system: windows, macos, linux. */
  platform: Scalars['String']['output'];
  /** When it enrolled. */
  registeredAt?: Maybe<Scalars['Timestamp']['output']>;
  /** The site where the device is. */
  site?: Maybe<Site>;
  /** The site where the device is. */
  siteId: Scalars['ID']['output'];
  /** The tenant that looks after the device. */
  tenant?: Maybe<Tenant>;
  /** The tenant that looks after the device. */
  tenantId: Scalars['ID']['output'];
  /** When a person or a job last changed it; a check-in does not count. */
  updatedAt: Scalars['Timestamp']['output'];
  /** The agent's version. */
  version: Scalars['String']['output'];
};


/** The program of ours on one client device; it checks in every minute. */
export type AgentApiLogsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<AgentApiLogOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<AgentApiLogFilter>;
};

/** One call of the agents' HTTP API: every enrolment and ticket, and what failed. */
export type AgentApiLog = {
  __typename?: 'AgentApiLog';
  /** The agent that called. */
  agent?: Maybe<Agent>;
  /** The agent that called; null where a registration failed. */
  agentId?: Maybe<Scalars['ID']['output']>;
  /** When the call came. */
  createdAt: Scalars['Timestamp']['output'];
  /** The path that was called. */
  endpoint: Scalars['String']['output'];
  /** Why it failed; null if it did not. */
  errorMessage?: Maybe<Scalars['String']['output']>;
  /** The id that the call led to at a vendor, such as a ticket's. */
  externalId?: Maybe<Scalars['String']['output']>;
  /** The entry's id. */
  id: Scalars['ID']['output'];
  /** The HTTP method. */
  method: Scalars['String']['output'];
  /** The site's id in the PSA. */
  psaSiteId?: Maybe<Scalars['String']['output']>;
  /** What was asked, without secrets. */
  reqMetadata: Scalars['JSON']['output'];
  /** What was answered, without secrets. */
  resMetadata: Scalars['JSON']['output'];
  /** The device's id in the RMM. */
  rmmDeviceId?: Maybe<Scalars['String']['output']>;
  /** The site of the caller. */
  site?: Maybe<Site>;
  /** The site of the caller, where it is known. */
  siteId?: Maybe<Scalars['ID']['output']>;
  /** The HTTP status that was answered. */
  statusCode: Scalars['Int']['output'];
  /** The tenant of the caller. */
  tenant?: Maybe<Tenant>;
  /** The tenant of the caller. */
  tenantId: Scalars['ID']['output'];
  /** How long it took, in milliseconds. */
  timeElapsedMs?: Maybe<Scalars['Int']['output']>;
  /** When the entry was completed, if that was later. */
  updatedAt?: Maybe<Scalars['Timestamp']['output']>;
};

/** A page of `agentApiLogs`. */
export type AgentApiLogConnection = {
  __typename?: 'AgentApiLogConnection';
  /** The rows of the page with their cursors. */
  edges: Array<AgentApiLogEdge>;
  /** The rows of the page. */
  nodes: Array<AgentApiLog>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `agentApiLogs` and where it stands. */
export type AgentApiLogEdge = {
  __typename?: 'AgentApiLogEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: AgentApiLog;
};

/** Which rows of `agentApiLogs` to keep; all that is said must hold. */
export type AgentApiLogFilter = {
  /** Looks at the row behind `agent`: the agent that called. */
  agent?: InputMaybe<AgentFilter>;
  /** The agent that called; null where a registration failed. */
  agentId?: InputMaybe<IdFilter>;
  /** All of these hold, too. */
  and?: InputMaybe<Array<AgentApiLogFilter>>;
  /** When the call came. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** The path that was called. */
  endpoint?: InputMaybe<StringFilter>;
  /** Why it failed; null if it did not. */
  errorMessage?: InputMaybe<StringFilter>;
  /** The id that the call led to at a vendor, such as a ticket's. */
  externalId?: InputMaybe<StringFilter>;
  /** The entry's id. */
  id?: InputMaybe<IdFilter>;
  /** The HTTP method. */
  method?: InputMaybe<StringFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<AgentApiLogFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<AgentApiLogFilter>>;
  /** The site's id in the PSA. */
  psaSiteId?: InputMaybe<StringFilter>;
  /** What was asked, without secrets. */
  reqMetadata?: InputMaybe<JsonFilter>;
  /** What was answered, without secrets. */
  resMetadata?: InputMaybe<JsonFilter>;
  /** The device's id in the RMM. */
  rmmDeviceId?: InputMaybe<StringFilter>;
  /** Looks at the row behind `site`: the site of the caller. */
  site?: InputMaybe<SiteFilter>;
  /** The site of the caller, where it is known. */
  siteId?: InputMaybe<IdFilter>;
  /** The HTTP status that was answered. */
  statusCode?: InputMaybe<IntFilter>;
  /** Looks at the row behind `tenant`: the tenant of the caller. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant of the caller. */
  tenantId?: InputMaybe<IdFilter>;
  /** How long it took, in milliseconds. */
  timeElapsedMs?: InputMaybe<IntFilter>;
  /** When the entry was completed, if that was later. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `agentApiLogs`. */
export type AgentApiLogOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: AgentApiLogOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `agentApiLogs` can be ordered by. */
export enum AgentApiLogOrderField {
  /** The agent that called; null where a registration failed. */
  AgentId = 'AGENT_ID',
  /** When the call came. */
  CreatedAt = 'CREATED_AT',
  /** The path that was called. */
  Endpoint = 'ENDPOINT',
  /** Why it failed; null if it did not. */
  ErrorMessage = 'ERROR_MESSAGE',
  /** The id that the call led to at a vendor, such as a ticket's. */
  ExternalId = 'EXTERNAL_ID',
  /** The entry's id. */
  Id = 'ID',
  /** The HTTP method. */
  Method = 'METHOD',
  /** The site's id in the PSA. */
  PsaSiteId = 'PSA_SITE_ID',
  /** The device's id in the RMM. */
  RmmDeviceId = 'RMM_DEVICE_ID',
  /** The site of the caller, where it is known. */
  SiteId = 'SITE_ID',
  /** The HTTP status that was answered. */
  StatusCode = 'STATUS_CODE',
  /** The tenant of the caller. */
  TenantId = 'TENANT_ID',
  /** How long it took, in milliseconds. */
  TimeElapsedMs = 'TIME_ELAPSED_MS',
  /** When the entry was completed, if that was later. */
  UpdatedAt = 'UPDATED_AT'
}

/** A page of `agents`. */
export type AgentConnection = {
  __typename?: 'AgentConnection';
  /** The rows of the page with their cursors. */
  edges: Array<AgentEdge>;
  /** The rows of the page. */
  nodes: Array<Agent>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `agents` and where it stands. */
export type AgentEdge = {
  __typename?: 'AgentEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: Agent;
};

/** Which rows of `agents` to keep; all that is said must hold. */
export type AgentFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<AgentFilter>>;
  /** When its row was created. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** When it was deleted; null while it is not. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** The address that it is seen under from outside. */
  extAddress?: InputMaybe<StringFilter>;
  /** What tells the device from others across reinstalls; unique in the tenant. */
  guid?: InputMaybe<StringFilter>;
  /** The device's host name. */
  hostname?: InputMaybe<StringFilter>;
  /** The agent's id, also the device id that it sends. */
  id?: InputMaybe<IdFilter>;
  /** Its address in the local network. */
  ipAddress?: InputMaybe<StringFilter>;
  /** When it last checked in; null if never. */
  lastCheckinAt?: InputMaybe<TimestampFilter>;
  /** Its hardware address. */
  macAddress?: InputMaybe<StringFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<AgentFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<AgentFilter>>;
  /** The operating system: windows, macos, linux. */
  platform?: InputMaybe<StringFilter>;
  /** When it enrolled. */
  registeredAt?: InputMaybe<TimestampFilter>;
  /** Looks at the row behind `site`: the site where the device is. */
  site?: InputMaybe<SiteFilter>;
  /** The site where the device is. */
  siteId?: InputMaybe<IdFilter>;
  /** Looks at the row behind `tenant`: the tenant that looks after the device. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant that looks after the device. */
  tenantId?: InputMaybe<IdFilter>;
  /** When a person or a job last changed it; a check-in does not count. */
  updatedAt?: InputMaybe<TimestampFilter>;
  /** The agent's version. */
  version?: InputMaybe<StringFilter>;
};

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
export enum AgentOrderField {
  /** When its row was created. */
  CreatedAt = 'CREATED_AT',
  /** When it was deleted; null while it is not. */
  DeletedAt = 'DELETED_AT',
  /** The address that it is seen under from outside. */
  ExtAddress = 'EXT_ADDRESS',
  /** What tells the device from others across reinstalls; unique in the tenant. */
  Guid = 'GUID',
  /** The device's host name. */
  Hostname = 'HOSTNAME',
  /** The agent's id, also the device id that it sends. */
  Id = 'ID',
  /** Its address in the local network. */
  IpAddress = 'IP_ADDRESS',
  /** When it last checked in; null if never. */
  LastCheckinAt = 'LAST_CHECKIN_AT',
  /** Its hardware address. */
  MacAddress = 'MAC_ADDRESS',
  /** The operating system: windows, macos, linux. */
  Platform = 'PLATFORM',
  /** When it enrolled. */
  RegisteredAt = 'REGISTERED_AT',
  /** The site where the device is. */
  SiteId = 'SITE_ID',
  /** The tenant that looks after the device. */
  TenantId = 'TENANT_ID',
  /** When a person or a job last changed it; a check-in does not count. */
  UpdatedAt = 'UPDATED_AT',
  /** The agent's version. */
  Version = 'VERSION'
}

/** One call to a vendor's API and its answer. For the platform alone. */
export type ApiLog = {
  __typename?: 'ApiLog';
  /** What was sent, without secrets. */
  body?: Maybe<Scalars['String']['output']>;
  /** When the call was made. */
  createdAt: Scalars['Timestamp']['output'];
  /** How long it took, in milliseconds. */
  durationMs?: Maybe<Scalars['Int']['output']>;
  /** Why no answer came: timeout, refused, ... */
  errorCode?: Maybe<Scalars['String']['output']>;
  /** When the server deletes the entry. */
  expiresAt: Scalars['Timestamp']['output'];
  /** The headers sent, without secrets. */
  headers?: Maybe<Scalars['JSON']['output']>;
  /** The entry's id. */
  id: Scalars['ID']['output'];
  /** The HTTP method. */
  method: Scalars['String']['output'];
  /** What came back, without secrets. */
  responseBody?: Maybe<Scalars['String']['output']>;
  /** The headers that came back, without secrets. */
  responseHeaders?: Maybe<Scalars['JSON']['output']>;
  /** The HTTP status that came back; null if none did. */
  statusCode?: Maybe<Scalars['Int']['output']>;
  /** The address that was called, without secrets. */
  url: Scalars['String']['output'];
};

/** A page of `apiLogs`. */
export type ApiLogConnection = {
  __typename?: 'ApiLogConnection';
  /** The rows of the page with their cursors. */
  edges: Array<ApiLogEdge>;
  /** The rows of the page. */
  nodes: Array<ApiLog>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `apiLogs` and where it stands. */
export type ApiLogEdge = {
  __typename?: 'ApiLogEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: ApiLog;
};

/** Which rows of `apiLogs` to keep; all that is said must hold. */
export type ApiLogFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<ApiLogFilter>>;
  /** When the call was made. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** How long it took, in milliseconds. */
  durationMs?: InputMaybe<IntFilter>;
  /** Why no answer came: timeout, refused, ... */
  errorCode?: InputMaybe<StringFilter>;
  /** When the server deletes the entry. */
  expiresAt?: InputMaybe<TimestampFilter>;
  /** The entry's id. */
  id?: InputMaybe<IdFilter>;
  /** The HTTP method. */
  method?: InputMaybe<StringFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<ApiLogFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<ApiLogFilter>>;
  /** The HTTP status that came back; null if none did. */
  statusCode?: InputMaybe<IntFilter>;
  /** The address that was called, without secrets. */
  url?: InputMaybe<StringFilter>;
};

/** One term of the order of `apiLogs`. */
export type ApiLogOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: ApiLogOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `apiLogs` can be ordered by. */
export enum ApiLogOrderField {
  /** When the call was made. */
  CreatedAt = 'CREATED_AT',
  /** How long it took, in milliseconds. */
  DurationMs = 'DURATION_MS',
  /** Why no answer came: timeout, refused, ... */
  ErrorCode = 'ERROR_CODE',
  /** When the server deletes the entry. */
  ExpiresAt = 'EXPIRES_AT',
  /** The entry's id. */
  Id = 'ID',
  /** The HTTP method. */
  Method = 'METHOD',
  /** The HTTP status that came back; null if none did. */
  StatusCode = 'STATUS_CODE',
  /** The address that was called, without secrets. */
  Url = 'URL'
}

/** What was done to a row. */
export enum AuditAction {
  /** It was created. */
  Create = 'CREATE',
  /** It was deleted; most rows can be restored. */
  Delete = 'DELETE',
  /** It was brought back. */
  Restore = 'RESTORE',
  /** It was changed. */
  Update = 'UPDATE'
}

/** Compares a AuditAction. */
export type AuditActionFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<AuditAction>;
  /** Is one of these. */
  in?: InputMaybe<Array<AuditAction>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<AuditAction>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<AuditAction>>;
};

/** What kind of actor changed a row. */
export enum AuditActor {
  /** An agent on a client device. */
  Agent = 'AGENT',
  /** The operator, by a service token. */
  Platform = 'PLATFORM',
  /** The server itself. */
  System = 'SYSTEM',
  /** A person. */
  User = 'USER'
}

/** Compares a AuditActor. */
export type AuditActorFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<AuditActor>;
  /** Is one of these. */
  in?: InputMaybe<Array<AuditActor>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<AuditActor>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<AuditActor>>;
};

/** One change of a row by a person, an agent or the platform. Never changed afterwards. */
export type AuditLogEntry = {
  __typename?: 'AuditLogEntry';
  /** What was done. */
  action: AuditAction;
  /** The actor's id. */
  actorId?: Maybe<Scalars['String']['output']>;
  /** What kind of actor made the change. */
  actorType: AuditActor;
  /** Each changed field with its value before and after: `{field: [before, after]}`. */
  changes: Scalars['JSON']['output'];
  /** When it was done. */
  createdAt: Scalars['Timestamp']['output'];
  /** The entry's id. */
  id: Scalars['ID']['output'];
  /** The row's id. */
  recordId: Scalars['String']['output'];
  /** The table of the row. */
  tableName: Scalars['String']['output'];
  /** The tenant of the row. */
  tenant?: Maybe<Tenant>;
  /** The tenant of the row; null for the platform's own tables. */
  tenantId?: Maybe<Scalars['ID']['output']>;
  /** The user who made the change. */
  user?: Maybe<User>;
  /** The user who made the change; null if it was no user. */
  userId?: Maybe<Scalars['ID']['output']>;
};

/** A page of `auditLog`. */
export type AuditLogEntryConnection = {
  __typename?: 'AuditLogEntryConnection';
  /** The rows of the page with their cursors. */
  edges: Array<AuditLogEntryEdge>;
  /** The rows of the page. */
  nodes: Array<AuditLogEntry>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `auditLog` and where it stands. */
export type AuditLogEntryEdge = {
  __typename?: 'AuditLogEntryEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: AuditLogEntry;
};

/** Which rows of `auditLog` to keep; all that is said must hold. */
export type AuditLogEntryFilter = {
  /** What was done. */
  action?: InputMaybe<AuditActionFilter>;
  /** The actor's id. */
  actorId?: InputMaybe<StringFilter>;
  /** What kind of actor made the change. */
  actorType?: InputMaybe<AuditActorFilter>;
  /** All of these hold, too. */
  and?: InputMaybe<Array<AuditLogEntryFilter>>;
  /** Each changed field with its value before and after: `{field: [before, after]}`. */
  changes?: InputMaybe<JsonFilter>;
  /** When it was done. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** The entry's id. */
  id?: InputMaybe<IdFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<AuditLogEntryFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<AuditLogEntryFilter>>;
  /** The row's id. */
  recordId?: InputMaybe<StringFilter>;
  /** The table of the row. */
  tableName?: InputMaybe<StringFilter>;
  /** Looks at the row behind `tenant`: the tenant of the row. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant of the row; null for the platform's own tables. */
  tenantId?: InputMaybe<IdFilter>;
  /** Looks at the row behind `user`: the user who made the change. */
  user?: InputMaybe<UserFilter>;
  /** The user who made the change; null if it was no user. */
  userId?: InputMaybe<IdFilter>;
};

/** One term of the order of `auditLog`. */
export type AuditLogEntryOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: AuditLogEntryOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `auditLog` can be ordered by. */
export enum AuditLogEntryOrderField {
  /** What was done. */
  Action = 'ACTION',
  /** The actor's id. */
  ActorId = 'ACTOR_ID',
  /** What kind of actor made the change. */
  ActorType = 'ACTOR_TYPE',
  /** When it was done. */
  CreatedAt = 'CREATED_AT',
  /** The entry's id. */
  Id = 'ID',
  /** The row's id. */
  RecordId = 'RECORD_ID',
  /** The table of the row. */
  TableName = 'TABLE_NAME',
  /** The tenant of the row; null for the platform's own tables. */
  TenantId = 'TENANT_ID',
  /** The user who made the change; null if it was no user. */
  UserId = 'USER_ID'
}

/** How far a bill is. */
export enum BillStatus {
  /** It was cancelled; the period may be billed anew. */
  Cancelled = 'CANCELLED',
  /** It may still change. */
  Draft = 'DRAFT',
  /** It is final and due. */
  Finalized = 'FINALIZED',
  /** It was paid. */
  Paid = 'PAID'
}

/** Compares a BillStatus. */
export type BillStatusFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<BillStatus>;
  /** Is one of these. */
  in?: InputMaybe<Array<BillStatus>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<BillStatus>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<BillStatus>>;
};

/** Compares a yes or no. */
export type BooleanFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<Scalars['Boolean']['input']>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<Scalars['Boolean']['input']>;
};

/** An integration as one tenant, or one site of it, has set it up. */
export type DataSource = {
  __typename?: 'DataSource';
  /** How to reach the vendor. A secret is never given: it shows as `{"secret": true}`. */
  config: Scalars['JSON']['output'];
  /** When it was set up. */
  createdAt: Scalars['Timestamp']['output'];
  /** When its credentials end; 9007199254740991 for never. */
  credentialExpirationAt: Scalars['Timestamp']['output'];
  /** The sites that it is mapped to. */
  dataSourceToSites?: Maybe<DataSourceToSiteConnection>;
  /** When it was deleted; null while it is not. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** The entities that came from it. */
  entities?: Maybe<EntityConnection>;
  /** Its id at the vendor. */
  externalId?: Maybe<Scalars['String']['output']>;
  /** Its health; null while nothing has been reported. */
  healthCheck?: Maybe<HealthCheck>;
  /** The data source's id. */
  id: Scalars['ID']['output'];
  /** The integration that it is one of. */
  integration?: Maybe<Integration>;
  /** The integration that it is one of. */
  integrationId: Scalars['ID']['output'];
  /** When data last came from it; null if none has. */
  lastSyncAt?: Maybe<Scalars['Timestamp']['output']>;
  /** What the connector knows of the vendor's side. */
  metadata?: Maybe<Scalars['JSON']['output']>;
  /** The jobs that work on it. */
  scheduledJobs?: Maybe<ScheduledJobConnection>;
  /** The one site that it serves. */
  site?: Maybe<Site>;
  /** The one site that it serves; null for the whole tenant. */
  siteId?: Maybe<Scalars['ID']['output']>;
  /** Whether it works. */
  status: DataSourceStatus;
  /** The tenant whose data source it is. */
  tenant?: Maybe<Tenant>;
  /** The tenant whose data source it is. */
  tenantId: Scalars['ID']['output'];
  /** When a person or a job last changed it. */
  updatedAt: Scalars['Timestamp']['output'];
};


/** An integration as one tenant, or one site of it, has set it up. */
export type DataSourceDataSourceToSitesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<DataSourceToSiteOrder>>;
  where?: InputMaybe<DataSourceToSiteFilter>;
};


/** An integration as one tenant, or one site of it, has set it up. */
export type DataSourceEntitiesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EntityOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<EntityFilter>;
};


/** An integration as one tenant, or one site of it, has set it up. */
export type DataSourceScheduledJobsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<ScheduledJobOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<ScheduledJobFilter>;
};

/** A page of `dataSources`. */
export type DataSourceConnection = {
  __typename?: 'DataSourceConnection';
  /** The rows of the page with their cursors. */
  edges: Array<DataSourceEdge>;
  /** The rows of the page. */
  nodes: Array<DataSource>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `dataSources` and where it stands. */
export type DataSourceEdge = {
  __typename?: 'DataSourceEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: DataSource;
};

/** Which rows of `dataSources` to keep; all that is said must hold. */
export type DataSourceFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<DataSourceFilter>>;
  /** When it was set up. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** When its credentials end; 9007199254740991 for never. */
  credentialExpirationAt?: InputMaybe<TimestampFilter>;
  /** When it was deleted; null while it is not. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** Its id at the vendor. */
  externalId?: InputMaybe<StringFilter>;
  /** The data source's id. */
  id?: InputMaybe<IdFilter>;
  /** Looks at the row behind `integration`: the integration that it is one of. */
  integration?: InputMaybe<IntegrationFilter>;
  /** The integration that it is one of. */
  integrationId?: InputMaybe<IdFilter>;
  /** When data last came from it; null if none has. */
  lastSyncAt?: InputMaybe<TimestampFilter>;
  /** What the connector knows of the vendor's side. */
  metadata?: InputMaybe<JsonFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<DataSourceFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<DataSourceFilter>>;
  /** Looks at the row behind `site`: the one site that it serves. */
  site?: InputMaybe<SiteFilter>;
  /** The one site that it serves; null for the whole tenant. */
  siteId?: InputMaybe<IdFilter>;
  /** Whether it works. */
  status?: InputMaybe<DataSourceStatusFilter>;
  /** Looks at the row behind `tenant`: the tenant whose data source it is. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant whose data source it is. */
  tenantId?: InputMaybe<IdFilter>;
  /** When a person or a job last changed it. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `dataSources`. */
export type DataSourceOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: DataSourceOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `dataSources` can be ordered by. */
export enum DataSourceOrderField {
  /** When it was set up. */
  CreatedAt = 'CREATED_AT',
  /** When its credentials end; 9007199254740991 for never. */
  CredentialExpirationAt = 'CREDENTIAL_EXPIRATION_AT',
  /** When it was deleted; null while it is not. */
  DeletedAt = 'DELETED_AT',
  /** Its id at the vendor. */
  ExternalId = 'EXTERNAL_ID',
  /** The data source's id. */
  Id = 'ID',
  /** The integration that it is one of. */
  IntegrationId = 'INTEGRATION_ID',
  /** When data last came from it; null if none has. */
  LastSyncAt = 'LAST_SYNC_AT',
  /** The one site that it serves; null for the whole tenant. */
  SiteId = 'SITE_ID',
  /** Whether it works. */
  Status = 'STATUS',
  /** The tenant whose data source it is. */
  TenantId = 'TENANT_ID',
  /** When a person or a job last changed it. */
  UpdatedAt = 'UPDATED_AT'
}

/** Whether a data source works. */
export enum DataSourceStatus {
  /** It does. */
  Active = 'ACTIVE',
  /** It failed: wrong or expired credentials, or a fault at the vendor. */
  Error = 'ERROR',
  /** It was switched off. */
  Inactive = 'INACTIVE'
}

/** Compares a DataSourceStatus. */
export type DataSourceStatusFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<DataSourceStatus>;
  /** Is one of these. */
  in?: InputMaybe<Array<DataSourceStatus>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<DataSourceStatus>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<DataSourceStatus>>;
};

/** That a data source of the whole tenant serves a site, too. */
export type DataSourceToSite = {
  __typename?: 'DataSourceToSite';
  /** When the two were joined. */
  createdAt: Scalars['Timestamp']['output'];
  /** The data source. */
  dataSource?: Maybe<DataSource>;
  /** The data source. */
  dataSourceId: Scalars['ID']['output'];
  /** When they were parted; null while they are not. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** The mapping's id. */
  id: Scalars['ID']['output'];
  /** The site that it serves. */
  site?: Maybe<Site>;
  /** The site that it serves. */
  siteId: Scalars['ID']['output'];
  /** The tenant of both. */
  tenant?: Maybe<Tenant>;
  /** The tenant of both. */
  tenantId: Scalars['ID']['output'];
};

/** A page of `dataSourceToSites`. */
export type DataSourceToSiteConnection = {
  __typename?: 'DataSourceToSiteConnection';
  /** The rows of the page with their cursors. */
  edges: Array<DataSourceToSiteEdge>;
  /** The rows of the page. */
  nodes: Array<DataSourceToSite>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `dataSourceToSites` and where it stands. */
export type DataSourceToSiteEdge = {
  __typename?: 'DataSourceToSiteEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: DataSourceToSite;
};

/** Which rows of `dataSourceToSites` to keep; all that is said must hold. */
export type DataSourceToSiteFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<DataSourceToSiteFilter>>;
  /** When the two were joined. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** Looks at the row behind `dataSource`: the data source. */
  dataSource?: InputMaybe<DataSourceFilter>;
  /** The data source. */
  dataSourceId?: InputMaybe<IdFilter>;
  /** When they were parted; null while they are not. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** The mapping's id. */
  id?: InputMaybe<IdFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<DataSourceToSiteFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<DataSourceToSiteFilter>>;
  /** Looks at the row behind `site`: the site that it serves. */
  site?: InputMaybe<SiteFilter>;
  /** The site that it serves. */
  siteId?: InputMaybe<IdFilter>;
  /** Looks at the row behind `tenant`: the tenant of both. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant of both. */
  tenantId?: InputMaybe<IdFilter>;
};

/** One term of the order of `dataSourceToSites`. */
export type DataSourceToSiteOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: DataSourceToSiteOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `dataSourceToSites` can be ordered by. */
export enum DataSourceToSiteOrderField {
  /** When the two were joined. */
  CreatedAt = 'CREATED_AT',
  /** The data source. */
  DataSourceId = 'DATA_SOURCE_ID',
  /** When they were parted; null while they are not. */
  DeletedAt = 'DELETED_AT',
  /** The mapping's id. */
  Id = 'ID',
  /** The site that it serves. */
  SiteId = 'SITE_ID',
  /** The tenant of both. */
  TenantId = 'TENANT_ID'
}

/** Compares an exact decimal number. */
export type DecimalFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<Scalars['Decimal']['input']>;
  /** Is greater than this. */
  gt?: InputMaybe<Scalars['Decimal']['input']>;
  /** Is this or greater. */
  gte?: InputMaybe<Scalars['Decimal']['input']>;
  /** Is one of these. */
  in?: InputMaybe<Array<Scalars['Decimal']['input']>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is less than this. */
  lt?: InputMaybe<Scalars['Decimal']['input']>;
  /** Is this or less. */
  lte?: InputMaybe<Scalars['Decimal']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<Scalars['Decimal']['input']>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<Scalars['Decimal']['input']>>;
};

/** Which way a list runs. */
export enum Direction {
  /** The smallest first. */
  Asc = 'ASC',
  /** The largest first. */
  Desc = 'DESC'
}

/** A thing that an integration told of: a company, an endpoint, a ticket, an identity, ... */
export type Entity = {
  __typename?: 'Entity';
  /** What belongs to this entity; each relationship leads to its `child`. */
  children?: Maybe<EntityRelationshipConnection>;
  /** When it was first seen. */
  createdAt: Scalars['Timestamp']['output'];
  /** A hash of the raw data; unchanged data is not written again. */
  dataHash: Scalars['String']['output'];
  /** The data source that it came from. */
  dataSource?: Maybe<DataSource>;
  /** The data source that it came from. */
  dataSourceId: Scalars['ID']['output'];
  /** When it was gone from the vendor; null while it is there. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** What it is: companies, sites, endpoints, identities, groups, tickets, ... */
  entityType: Scalars['String']['output'];
  /** What happened to this entity. */
  events?: Maybe<EventLogEntryConnection>;
  /** Its id at the vendor; unique with data source and type. */
  externalId: Scalars['String']['output'];
  /** The entity's id. */
  id: Scalars['ID']['output'];
  /** The integration that it came through. */
  integration?: Maybe<Integration>;
  /** The integration that it came through. */
  integrationId: Scalars['ID']['output'];
  /** The same in our words, alike for all vendors of an entity type. */
  normalizedData: Scalars['JSON']['output'];
  /** What this entity belongs to; each relationship leads to its `parent`. */
  parents?: Maybe<EntityRelationshipConnection>;
  /** What the vendor sent. */
  rawData: Scalars['JSON']['output'];
  /** The site that it belongs to. */
  site?: Maybe<Site>;
  /** The site that it belongs to, where that is known. */
  siteId?: Maybe<Scalars['ID']['output']>;
  /** The tenant whose data it is. */
  tenant?: Maybe<Tenant>;
  /** The tenant whose data it is. */
  tenantId: Scalars['ID']['output'];
  /** When its data last changed. */
  updatedAt: Scalars['Timestamp']['output'];
};


/** A thing that an integration told of: a company, an endpoint, a ticket, an identity, ... */
export type EntityChildrenArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EntityRelationshipOrder>>;
  relationshipType?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<EntityRelationshipFilter>;
};


/** A thing that an integration told of: a company, an endpoint, a ticket, an identity, ... */
export type EntityEventsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EventLogEntryOrder>>;
  where?: InputMaybe<EventLogEntryFilter>;
};


/** A thing that an integration told of: a company, an endpoint, a ticket, an identity, ... */
export type EntityParentsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EntityRelationshipOrder>>;
  relationshipType?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<EntityRelationshipFilter>;
};

/** A page of `entities`. */
export type EntityConnection = {
  __typename?: 'EntityConnection';
  /** The rows of the page with their cursors. */
  edges: Array<EntityEdge>;
  /** The rows of the page. */
  nodes: Array<Entity>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `entities` and where it stands. */
export type EntityEdge = {
  __typename?: 'EntityEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: Entity;
};

/** Which rows of `entities` to keep; all that is said must hold. */
export type EntityFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<EntityFilter>>;
  /** When it was first seen. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** A hash of the raw data; unchanged data is not written again. */
  dataHash?: InputMaybe<StringFilter>;
  /** Looks at the row behind `dataSource`: the data source that it came from. */
  dataSource?: InputMaybe<DataSourceFilter>;
  /** The data source that it came from. */
  dataSourceId?: InputMaybe<IdFilter>;
  /** When it was gone from the vendor; null while it is there. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** What it is: companies, sites, endpoints, identities, groups, tickets, ... */
  entityType?: InputMaybe<StringFilter>;
  /** Its id at the vendor; unique with data source and type. */
  externalId?: InputMaybe<StringFilter>;
  /** The entity's id. */
  id?: InputMaybe<IdFilter>;
  /** Looks at the row behind `integration`: the integration that it came through. */
  integration?: InputMaybe<IntegrationFilter>;
  /** The integration that it came through. */
  integrationId?: InputMaybe<IdFilter>;
  /** The same in our words, alike for all vendors of an entity type. */
  normalizedData?: InputMaybe<JsonFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<EntityFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<EntityFilter>>;
  /** What the vendor sent. */
  rawData?: InputMaybe<JsonFilter>;
  /** Looks at the row behind `site`: the site that it belongs to. */
  site?: InputMaybe<SiteFilter>;
  /** The site that it belongs to, where that is known. */
  siteId?: InputMaybe<IdFilter>;
  /** Looks at the row behind `tenant`: the tenant whose data it is. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant whose data it is. */
  tenantId?: InputMaybe<IdFilter>;
  /** When its data last changed. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `entities`. */
export type EntityOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: EntityOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `entities` can be ordered by. */
export enum EntityOrderField {
  /** When it was first seen. */
  CreatedAt = 'CREATED_AT',
  /** The data source that it came from. */
  DataSourceId = 'DATA_SOURCE_ID',
  /** When it was gone from the vendor; null while it is there. */
  DeletedAt = 'DELETED_AT',
  /** What it is: companies, sites, endpoints, identities, groups, tickets, ... */
  EntityType = 'ENTITY_TYPE',
  /** Its id at the vendor; unique with data source and type. */
  ExternalId = 'EXTERNAL_ID',
  /** The entity's id. */
  Id = 'ID',
  /** The integration that it came through. */
  IntegrationId = 'INTEGRATION_ID',
  /** The site that it belongs to, where that is known. */
  SiteId = 'SITE_ID',
  /** The tenant whose data it is. */
  TenantId = 'TENANT_ID',
  /** When its data last changed. */
  UpdatedAt = 'UPDATED_AT'
}

/** That one entity belongs to another: an identity to a group, an endpoint to a company. */
export type EntityRelationship = {
  __typename?: 'EntityRelationship';
  /** The entity that belongs to the other. */
  child?: Maybe<Entity>;
  /** The entity that belongs to the other. */
  childEntityId: Scalars['ID']['output'];
  /** When it was first seen. */
  createdAt: Scalars['Timestamp']['output'];
  /** When it ended; null while it holds. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** The relationship's id. */
  id: Scalars['ID']['output'];
  /** What more is known of it. */
  metadata?: Maybe<Scalars['JSON']['output']>;
  /** The entity that the other belongs to. */
  parent?: Maybe<Entity>;
  /** The entity that the other belongs to. */
  parentEntityId: Scalars['ID']['output'];
  /** How they belong together: member, contains, assigned, ... */
  relationshipType: Scalars['String']['output'];
  /** The tenant of both entities. */
  tenant?: Maybe<Tenant>;
  /** The tenant of both entities. */
  tenantId: Scalars['ID']['output'];
  /** When it last changed. */
  updatedAt: Scalars['Timestamp']['output'];
};

/** A page of `entityRelationships`. */
export type EntityRelationshipConnection = {
  __typename?: 'EntityRelationshipConnection';
  /** The rows of the page with their cursors. */
  edges: Array<EntityRelationshipEdge>;
  /** The rows of the page. */
  nodes: Array<EntityRelationship>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `entityRelationships` and where it stands. */
export type EntityRelationshipEdge = {
  __typename?: 'EntityRelationshipEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: EntityRelationship;
};

/** Which rows of `entityRelationships` to keep; all that is said must hold. */
export type EntityRelationshipFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<EntityRelationshipFilter>>;
  /** Looks at the row behind `child`: the entity that belongs to the other. */
  child?: InputMaybe<EntityFilter>;
  /** The entity that belongs to the other. */
  childEntityId?: InputMaybe<IdFilter>;
  /** When it was first seen. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** When it ended; null while it holds. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** The relationship's id. */
  id?: InputMaybe<IdFilter>;
  /** What more is known of it. */
  metadata?: InputMaybe<JsonFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<EntityRelationshipFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<EntityRelationshipFilter>>;
  /** Looks at the row behind `parent`: the entity that the other belongs to. */
  parent?: InputMaybe<EntityFilter>;
  /** The entity that the other belongs to. */
  parentEntityId?: InputMaybe<IdFilter>;
  /** How they belong together: member, contains, assigned, ... */
  relationshipType?: InputMaybe<StringFilter>;
  /** Looks at the row behind `tenant`: the tenant of both entities. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant of both entities. */
  tenantId?: InputMaybe<IdFilter>;
  /** When it last changed. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `entityRelationships`. */
export type EntityRelationshipOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: EntityRelationshipOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `entityRelationships` can be ordered by. */
export enum EntityRelationshipOrderField {
  /** The entity that belongs to the other. */
  ChildEntityId = 'CHILD_ENTITY_ID',
  /** When it was first seen. */
  CreatedAt = 'CREATED_AT',
  /** When it ended; null while it holds. */
  DeletedAt = 'DELETED_AT',
  /** The relationship's id. */
  Id = 'ID',
  /** The entity that the other belongs to. */
  ParentEntityId = 'PARENT_ENTITY_ID',
  /** How they belong together: member, contains, assigned, ... */
  RelationshipType = 'RELATIONSHIP_TYPE',
  /** The tenant of both entities. */
  TenantId = 'TENANT_ID',
  /** When it last changed. */
  UpdatedAt = 'UPDATED_AT'
}

/** Something that happened to an entity, and how far its handling is. */
export type EventLogEntry = {
  __typename?: 'EventLogEntry';
  /** When it happened. */
  createdAt: Scalars['Timestamp']['output'];
  /** The entity that it happened to. */
  entity?: Maybe<Entity>;
  /** The entity that it happened to. */
  entityId: Scalars['ID']['output'];
  /** What happened: created, updated, deleted, ... */
  eventType: Scalars['String']['output'];
  /** The event's id. */
  id: Scalars['ID']['output'];
  /** What is known of it. */
  payload: Scalars['JSON']['output'];
  /** When it was handled; null while it is not. */
  processedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** How often its handling was tried again. */
  retryCount: Scalars['Int']['output'];
  /** How far its handling is. */
  status: EventStatus;
  /** The tenant of the entity. */
  tenant?: Maybe<Tenant>;
  /** The tenant of the entity. */
  tenantId: Scalars['ID']['output'];
  /** When its handling last changed. */
  updatedAt: Scalars['Timestamp']['output'];
};

/** A page of `eventsLog`. */
export type EventLogEntryConnection = {
  __typename?: 'EventLogEntryConnection';
  /** The rows of the page with their cursors. */
  edges: Array<EventLogEntryEdge>;
  /** The rows of the page. */
  nodes: Array<EventLogEntry>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `eventsLog` and where it stands. */
export type EventLogEntryEdge = {
  __typename?: 'EventLogEntryEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: EventLogEntry;
};

/** Which rows of `eventsLog` to keep; all that is said must hold. */
export type EventLogEntryFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<EventLogEntryFilter>>;
  /** When it happened. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** Looks at the row behind `entity`: the entity that it happened to. */
  entity?: InputMaybe<EntityFilter>;
  /** The entity that it happened to. */
  entityId?: InputMaybe<IdFilter>;
  /** What happened: created, updated, deleted, ... */
  eventType?: InputMaybe<StringFilter>;
  /** The event's id. */
  id?: InputMaybe<IdFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<EventLogEntryFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<EventLogEntryFilter>>;
  /** What is known of it. */
  payload?: InputMaybe<JsonFilter>;
  /** When it was handled; null while it is not. */
  processedAt?: InputMaybe<TimestampFilter>;
  /** How often its handling was tried again. */
  retryCount?: InputMaybe<IntFilter>;
  /** How far its handling is. */
  status?: InputMaybe<EventStatusFilter>;
  /** Looks at the row behind `tenant`: the tenant of the entity. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant of the entity. */
  tenantId?: InputMaybe<IdFilter>;
  /** When its handling last changed. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `eventsLog`. */
export type EventLogEntryOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: EventLogEntryOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `eventsLog` can be ordered by. */
export enum EventLogEntryOrderField {
  /** When it happened. */
  CreatedAt = 'CREATED_AT',
  /** The entity that it happened to. */
  EntityId = 'ENTITY_ID',
  /** What happened: created, updated, deleted, ... */
  EventType = 'EVENT_TYPE',
  /** The event's id. */
  Id = 'ID',
  /** When it was handled; null while it is not. */
  ProcessedAt = 'PROCESSED_AT',
  /** How often its handling was tried again. */
  RetryCount = 'RETRY_COUNT',
  /** How far its handling is. */
  Status = 'STATUS',
  /** The tenant of the entity. */
  TenantId = 'TENANT_ID',
  /** When its handling last changed. */
  UpdatedAt = 'UPDATED_AT'
}

/** How far the handling of an event is. */
export enum EventStatus {
  /** It ended well. */
  Completed = 'COMPLETED',
  /** It failed. */
  Failed = 'FAILED',
  /** It has not begun. */
  Pending = 'PENDING',
  /** It is at work. */
  Processing = 'PROCESSING'
}

/** Compares a EventStatus. */
export type EventStatusFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<EventStatus>;
  /** Is one of these. */
  in?: InputMaybe<Array<EventStatus>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<EventStatus>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<EventStatus>>;
};

/** A thing that an integration told of and that is the same for all tenants: a licence plan, ... */
export type GlobalEntity = {
  __typename?: 'GlobalEntity';
  /** When it was first seen. */
  createdAt: Scalars['Timestamp']['output'];
  /** A hash of the raw data; unchanged data is not written again. */
  dataHash: Scalars['String']['output'];
  /** When it was gone from the vendor; null while it is there. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** What it is. */
  entityType: Scalars['String']['output'];
  /** Its id at the vendor; unique with integration and type. */
  externalId: Scalars['String']['output'];
  /** The entity's id. */
  id: Scalars['ID']['output'];
  /** The integration that it came through. */
  integration?: Maybe<Integration>;
  /** The integration that it came through. */
  integrationId: Scalars['ID']['output'];
  /** The same in our words, alike for all vendors of an entity type. */
  normalizedData: Scalars['JSON']['output'];
  /** What the vendor sent. */
  rawData: Scalars['JSON']['output'];
  /** When its data last changed. */
  updatedAt: Scalars['Timestamp']['output'];
};

/** A page of `globalEntities`. */
export type GlobalEntityConnection = {
  __typename?: 'GlobalEntityConnection';
  /** The rows of the page with their cursors. */
  edges: Array<GlobalEntityEdge>;
  /** The rows of the page. */
  nodes: Array<GlobalEntity>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `globalEntities` and where it stands. */
export type GlobalEntityEdge = {
  __typename?: 'GlobalEntityEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: GlobalEntity;
};

/** Which rows of `globalEntities` to keep; all that is said must hold. */
export type GlobalEntityFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<GlobalEntityFilter>>;
  /** When it was first seen. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** A hash of the raw data; unchanged data is not written again. */
  dataHash?: InputMaybe<StringFilter>;
  /** When it was gone from the vendor; null while it is there. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** What it is. */
  entityType?: InputMaybe<StringFilter>;
  /** Its id at the vendor; unique with integration and type. */
  externalId?: InputMaybe<StringFilter>;
  /** The entity's id. */
  id?: InputMaybe<IdFilter>;
  /** Looks at the row behind `integration`: the integration that it came through. */
  integration?: InputMaybe<IntegrationFilter>;
  /** The integration that it came through. */
  integrationId?: InputMaybe<IdFilter>;
  /** The same in our words, alike for all vendors of an entity type. */
  normalizedData?: InputMaybe<JsonFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<GlobalEntityFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<GlobalEntityFilter>>;
  /** What the vendor sent. */
  rawData?: InputMaybe<JsonFilter>;
  /** When its data last changed. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `globalEntities`. */
export type GlobalEntityOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: GlobalEntityOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `globalEntities` can be ordered by. */
export enum GlobalEntityOrderField {
  /** When it was first seen. */
  CreatedAt = 'CREATED_AT',
  /** When it was gone from the vendor; null while it is there. */
  DeletedAt = 'DELETED_AT',
  /** What it is. */
  EntityType = 'ENTITY_TYPE',
  /** Its id at the vendor; unique with integration and type. */
  ExternalId = 'EXTERNAL_ID',
  /** The entity's id. */
  Id = 'ID',
  /** The integration that it came through. */
  IntegrationId = 'INTEGRATION_ID',
  /** When its data last changed. */
  UpdatedAt = 'UPDATED_AT'
}

/** How one resource is doing: an agent, a data source, a site, a job or an integration. */
export type HealthCheck = {
  __typename?: 'HealthCheck';
  /** When it was first looked at. */
  createdAt: Scalars['Timestamp']['output'];
  /** What the last failure said. */
  errorMessage?: Maybe<Scalars['String']['output']>;
  /** Failures in a row; 0 while it is healthy. */
  failureCount: Scalars['Int']['output'];
  /** The health check's id. */
  id: Scalars['ID']['output'];
  /** When it was last looked at. */
  lastCheckAt: Scalars['Timestamp']['output'];
  /** When it was last found failing. */
  lastFailureAt?: Maybe<Scalars['Timestamp']['output']>;
  /** When it was last found well. */
  lastSuccessAt?: Maybe<Scalars['Timestamp']['output']>;
  /** What more the last report said. */
  metadata?: Maybe<Scalars['JSON']['output']>;
  /** The resource that it looks at; null if it was deleted. */
  resource?: Maybe<HealthCheckResource>;
  /** The resource's id; one health check stands for each. */
  resourceId: Scalars['ID']['output'];
  /** What the resource is. */
  resourceType: HealthResourceType;
  /** How it is doing. */
  status: HealthStatus;
  /** The tenant of the resource. */
  tenant?: Maybe<Tenant>;
  /** The tenant of the resource. */
  tenantId: Scalars['ID']['output'];
  /** When the last report came. */
  updatedAt: Scalars['Timestamp']['output'];
};

/** A page of `healthChecks`. */
export type HealthCheckConnection = {
  __typename?: 'HealthCheckConnection';
  /** The rows of the page with their cursors. */
  edges: Array<HealthCheckEdge>;
  /** The rows of the page. */
  nodes: Array<HealthCheck>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `healthChecks` and where it stands. */
export type HealthCheckEdge = {
  __typename?: 'HealthCheckEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: HealthCheck;
};

/** Which rows of `healthChecks` to keep; all that is said must hold. */
export type HealthCheckFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<HealthCheckFilter>>;
  /** When it was first looked at. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** What the last failure said. */
  errorMessage?: InputMaybe<StringFilter>;
  /** Failures in a row; 0 while it is healthy. */
  failureCount?: InputMaybe<IntFilter>;
  /** The health check's id. */
  id?: InputMaybe<IdFilter>;
  /** When it was last looked at. */
  lastCheckAt?: InputMaybe<TimestampFilter>;
  /** When it was last found failing. */
  lastFailureAt?: InputMaybe<TimestampFilter>;
  /** When it was last found well. */
  lastSuccessAt?: InputMaybe<TimestampFilter>;
  /** What more the last report said. */
  metadata?: InputMaybe<JsonFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<HealthCheckFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<HealthCheckFilter>>;
  /** The resource's id; one health check stands for each. */
  resourceId?: InputMaybe<IdFilter>;
  /** What the resource is. */
  resourceType?: InputMaybe<HealthResourceTypeFilter>;
  /** How it is doing. */
  status?: InputMaybe<HealthStatusFilter>;
  /** Looks at the row behind `tenant`: the tenant of the resource. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant of the resource. */
  tenantId?: InputMaybe<IdFilter>;
  /** When the last report came. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `healthChecks`. */
export type HealthCheckOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: HealthCheckOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `healthChecks` can be ordered by. */
export enum HealthCheckOrderField {
  /** When it was first looked at. */
  CreatedAt = 'CREATED_AT',
  /** What the last failure said. */
  ErrorMessage = 'ERROR_MESSAGE',
  /** Failures in a row; 0 while it is healthy. */
  FailureCount = 'FAILURE_COUNT',
  /** The health check's id. */
  Id = 'ID',
  /** When it was last looked at. */
  LastCheckAt = 'LAST_CHECK_AT',
  /** When it was last found failing. */
  LastFailureAt = 'LAST_FAILURE_AT',
  /** When it was last found well. */
  LastSuccessAt = 'LAST_SUCCESS_AT',
  /** The resource's id; one health check stands for each. */
  ResourceId = 'RESOURCE_ID',
  /** What the resource is. */
  ResourceType = 'RESOURCE_TYPE',
  /** How it is doing. */
  Status = 'STATUS',
  /** The tenant of the resource. */
  TenantId = 'TENANT_ID',
  /** When the last report came. */
  UpdatedAt = 'UPDATED_AT'
}

/** What a health check can look at. */
export type HealthCheckResource = Agent | DataSource | Integration | ScheduledJob | Site;

/** What a health check can look at. */
export enum HealthResourceType {
  /** An agent on a client device. */
  Agent = 'AGENT',
  /** A data source. */
  DataSource = 'DATA_SOURCE',
  /** An integration, for the tenant. */
  Integration = 'INTEGRATION',
  /** A background job. */
  ScheduledJob = 'SCHEDULED_JOB',
  /** A site. */
  Site = 'SITE'
}

/** Compares a HealthResourceType. */
export type HealthResourceTypeFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<HealthResourceType>;
  /** Is one of these. */
  in?: InputMaybe<Array<HealthResourceType>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<HealthResourceType>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<HealthResourceType>>;
};

/** How a resource is doing. */
export enum HealthStatus {
  /** The last check failed, but not often enough to be down. */
  Degraded = 'DEGRADED',
  /** It failed several times in a row. */
  Down = 'DOWN',
  /** The last check was well. */
  Healthy = 'HEALTHY'
}

/** Compares a HealthStatus. */
export type HealthStatusFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<HealthStatus>;
  /** Is one of these. */
  in?: InputMaybe<Array<HealthStatus>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<HealthStatus>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<HealthStatus>>;
};

/** Compares an id. */
export type IdFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<Scalars['ID']['input']>;
  /** Is one of these. */
  in?: InputMaybe<Array<Scalars['ID']['input']>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<Scalars['ID']['input']>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<Scalars['ID']['input']>>;
};

/** Compares a whole number. */
export type IntFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<Scalars['Int']['input']>;
  /** Is greater than this. */
  gt?: InputMaybe<Scalars['Int']['input']>;
  /** Is this or greater. */
  gte?: InputMaybe<Scalars['Int']['input']>;
  /** Is one of these. */
  in?: InputMaybe<Array<Scalars['Int']['input']>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is less than this. */
  lt?: InputMaybe<Scalars['Int']['input']>;
  /** Is this or less. */
  lte?: InputMaybe<Scalars['Int']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<Scalars['Int']['input']>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<Scalars['Int']['input']>>;
};

/** A product that data can come from (HaloPSA, Sophos, ...), the same for all tenants. */
export type Integration = {
  __typename?: 'Integration';
  /** The lines of the viewer's bills for this integration. */
  billLineItems?: Maybe<TenantBillLineItemConnection>;
  /** The adjustments of the viewer's bills for this integration. */
  billingAdjustments?: Maybe<TenantBillingAdjustmentConnection>;
  /** The kind of product: psa, rmm, security, identity, ... */
  category: Scalars['String']['output'];
  /** Its colour in the dashboards, as CSS writes it. */
  color?: Maybe<Scalars['String']['output']>;
  /** JSON Schema of a data source's `config`; a property marked `sensitive` is a secret. */
  configSchema?: Maybe<Scalars['JSON']['output']>;
  /** When it was added to the catalogue. */
  createdAt: Scalars['Timestamp']['output'];
  /** The viewer's data sources of this integration. */
  dataSources?: Maybe<DataSourceConnection>;
  /** What the product is. */
  description: Scalars['String']['output'];
  /** The viewer's entities that came through this integration. */
  entities?: Maybe<EntityConnection>;
  /** The things that this integration tells all tenants alike. */
  globalEntities?: Maybe<GlobalEntityConnection>;
  /** Its health for the viewer's tenant; null while nothing has been reported. */
  healthCheck?: Maybe<HealthCheck>;
  /** Where its picture is. */
  iconUrl?: Maybe<Scalars['String']['output']>;
  /** The integration's slug, such as `halopsa`. */
  id: Scalars['ID']['output'];
  /** Whether it is offered; an integration is switched off, never deleted. */
  isActive?: Maybe<Scalars['Boolean']['output']>;
  /** Where it is set up: once for the tenant, or for each site. */
  level?: Maybe<Scalars['String']['output']>;
  /** The product's name. */
  name: Scalars['String']['output'];
  /** What this integration costs the viewer's tenant. */
  pricingTiers?: Maybe<IntegrationPricingTierConnection>;
  /** The vendor's page about it. */
  productUrl?: Maybe<Scalars['String']['output']>;
  /** The viewer's sites that are companies in this PSA. */
  psaSites?: Maybe<SiteConnection>;
  /** The viewer's jobs that work with this integration. */
  scheduledJobs?: Maybe<ScheduledJobConnection>;
  /** The entity types that it brings: sites, companies, devices, tickets, ... */
  supportedTypes: Array<Scalars['String']['output']>;
  /** When the platform last changed it. */
  updatedAt: Scalars['Timestamp']['output'];
};


/** A product that data can come from (HaloPSA, Sophos, ...), the same for all tenants. */
export type IntegrationBillLineItemsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantBillLineItemOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantBillLineItemFilter>;
};


/** A product that data can come from (HaloPSA, Sophos, ...), the same for all tenants. */
export type IntegrationBillingAdjustmentsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantBillingAdjustmentOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantBillingAdjustmentFilter>;
};


/** A product that data can come from (HaloPSA, Sophos, ...), the same for all tenants. */
export type IntegrationDataSourcesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<DataSourceOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<DataSourceFilter>;
};


/** A product that data can come from (HaloPSA, Sophos, ...), the same for all tenants. */
export type IntegrationEntitiesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EntityOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<EntityFilter>;
};


/** A product that data can come from (HaloPSA, Sophos, ...), the same for all tenants. */
export type IntegrationGlobalEntitiesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<GlobalEntityOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<GlobalEntityFilter>;
};


/** A product that data can come from (HaloPSA, Sophos, ...), the same for all tenants. */
export type IntegrationPricingTiersArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<IntegrationPricingTierOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<IntegrationPricingTierFilter>;
};


/** A product that data can come from (HaloPSA, Sophos, ...), the same for all tenants. */
export type IntegrationPsaSitesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<SiteOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<SiteFilter>;
};


/** A product that data can come from (HaloPSA, Sophos, ...), the same for all tenants. */
export type IntegrationScheduledJobsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<ScheduledJobOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<ScheduledJobFilter>;
};

/** A page of `integrations`. */
export type IntegrationConnection = {
  __typename?: 'IntegrationConnection';
  /** The rows of the page with their cursors. */
  edges: Array<IntegrationEdge>;
  /** The rows of the page. */
  nodes: Array<Integration>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `integrations` and where it stands. */
export type IntegrationEdge = {
  __typename?: 'IntegrationEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: Integration;
};

/** Which rows of `integrations` to keep; all that is said must hold. */
export type IntegrationFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<IntegrationFilter>>;
  /** The kind of product: psa, rmm, security, identity, ... */
  category?: InputMaybe<StringFilter>;
  /** When it was added to the catalogue. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** What the product is. */
  description?: InputMaybe<StringFilter>;
  /** The integration's slug, such as `halopsa`. */
  id?: InputMaybe<IdFilter>;
  /** Whether it is offered; an integration is switched off, never deleted. */
  isActive?: InputMaybe<BooleanFilter>;
  /** Where it is set up: once for the tenant, or for each site. */
  level?: InputMaybe<StringFilter>;
  /** The product's name. */
  name?: InputMaybe<StringFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<IntegrationFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<IntegrationFilter>>;
  /** The entity types that it brings: sites, companies, devices, tickets, ... */
  supportedTypes?: InputMaybe<StringListFilter>;
  /** When the platform last changed it. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `integrations`. */
export type IntegrationOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: IntegrationOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `integrations` can be ordered by. */
export enum IntegrationOrderField {
  /** The kind of product: psa, rmm, security, identity, ... */
  Category = 'CATEGORY',
  /** When it was added to the catalogue. */
  CreatedAt = 'CREATED_AT',
  /** What the product is. */
  Description = 'DESCRIPTION',
  /** The integration's slug, such as `halopsa`. */
  Id = 'ID',
  /** Whether it is offered; an integration is switched off, never deleted. */
  IsActive = 'IS_ACTIVE',
  /** Where it is set up: once for the tenant, or for each site. */
  Level = 'LEVEL',
  /** The product's name. */
  Name = 'NAME',
  /** When the platform last changed it. */
  UpdatedAt = 'UPDATED_AT'
}

/** What a unit of an integration costs a tenant, over a time. */
export type IntegrationPricingTier = {
  __typename?: 'IntegrationPricingTier';
  /** The lines that were reckoned with this price. */
  billLineItems?: Maybe<TenantBillLineItemConnection>;
  /** When it was created. */
  createdAt: Scalars['Timestamp']['output'];
  /** When it was deleted; null while it is not. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** What is priced. */
  description: Scalars['String']['output'];
  /** When it begins to hold. */
  effectiveFrom: Scalars['Timestamp']['output'];
  /** When it ceases to hold; null while no end is set. */
  effectiveUntil?: Maybe<Scalars['Timestamp']['output']>;
  /** The tier's id. */
  id: Scalars['ID']['output'];
  /** The integration that it prices. */
  integration?: Maybe<Integration>;
  /** The integration that it prices. */
  integrationId: Scalars['ID']['output'];
  /** The tier's name. */
  name: Scalars['String']['output'];
  /** The tenant that it holds for. */
  tenant?: Maybe<Tenant>;
  /** The tenant that it holds for. */
  tenantId: Scalars['ID']['output'];
  /** The price of one unit. */
  unitCost: Scalars['Decimal']['output'];
  /** When a person or a job last changed it. */
  updatedAt: Scalars['Timestamp']['output'];
};


/** What a unit of an integration costs a tenant, over a time. */
export type IntegrationPricingTierBillLineItemsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantBillLineItemOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantBillLineItemFilter>;
};

/** A page of `integrationPricingTiers`. */
export type IntegrationPricingTierConnection = {
  __typename?: 'IntegrationPricingTierConnection';
  /** The rows of the page with their cursors. */
  edges: Array<IntegrationPricingTierEdge>;
  /** The rows of the page. */
  nodes: Array<IntegrationPricingTier>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `integrationPricingTiers` and where it stands. */
export type IntegrationPricingTierEdge = {
  __typename?: 'IntegrationPricingTierEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: IntegrationPricingTier;
};

/** Which rows of `integrationPricingTiers` to keep; all that is said must hold. */
export type IntegrationPricingTierFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<IntegrationPricingTierFilter>>;
  /** When it was created. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** When it was deleted; null while it is not. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** What is priced. */
  description?: InputMaybe<StringFilter>;
  /** When it begins to hold. */
  effectiveFrom?: InputMaybe<TimestampFilter>;
  /** When it ceases to hold; null while no end is set. */
  effectiveUntil?: InputMaybe<TimestampFilter>;
  /** The tier's id. */
  id?: InputMaybe<IdFilter>;
  /** Looks at the row behind `integration`: the integration that it prices. */
  integration?: InputMaybe<IntegrationFilter>;
  /** The integration that it prices. */
  integrationId?: InputMaybe<IdFilter>;
  /** The tier's name. */
  name?: InputMaybe<StringFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<IntegrationPricingTierFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<IntegrationPricingTierFilter>>;
  /** Looks at the row behind `tenant`: the tenant that it holds for. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant that it holds for. */
  tenantId?: InputMaybe<IdFilter>;
  /** The price of one unit. */
  unitCost?: InputMaybe<DecimalFilter>;
  /** When a person or a job last changed it. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `integrationPricingTiers`. */
export type IntegrationPricingTierOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: IntegrationPricingTierOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `integrationPricingTiers` can be ordered by. */
export enum IntegrationPricingTierOrderField {
  /** When it was created. */
  CreatedAt = 'CREATED_AT',
  /** When it was deleted; null while it is not. */
  DeletedAt = 'DELETED_AT',
  /** What is priced. */
  Description = 'DESCRIPTION',
  /** When it begins to hold. */
  EffectiveFrom = 'EFFECTIVE_FROM',
  /** When it ceases to hold; null while no end is set. */
  EffectiveUntil = 'EFFECTIVE_UNTIL',
  /** The tier's id. */
  Id = 'ID',
  /** The integration that it prices. */
  IntegrationId = 'INTEGRATION_ID',
  /** The tier's name. */
  Name = 'NAME',
  /** The tenant that it holds for. */
  TenantId = 'TENANT_ID',
  /** The price of one unit. */
  UnitCost = 'UNIT_COST',
  /** When a person or a job last changed it. */
  UpdatedAt = 'UPDATED_AT'
}

/** Looks into a JSON value. */
export type JsonFilter = {
  /** Has these values at these places, all of them. */
  at?: InputMaybe<Array<JsonPathFilter>>;
  /** Contains this value, as PostgreSQL's `@>` has it. */
  contains?: InputMaybe<Scalars['JSON']['input']>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
};

/** A place inside of a JSON value, and what must stand there. */
export type JsonPathFilter = {
  /** What must stand there. */
  eq: Scalars['JSON']['input'];
  /** Keys and list positions from the outside in: `["os", "name"]`. */
  path: Array<Scalars['String']['input']>;
};

/** How far a job is. */
export enum JobStatus {
  /** It ended well. */
  Completed = 'COMPLETED',
  /** It failed and is not tried again. */
  Failed = 'FAILED',
  /** It waits for its time, or for its next try. */
  Pending = 'PENDING',
  /** It is at work. */
  Running = 'RUNNING'
}

/** Compares a JobStatus. */
export type JobStatusFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<JobStatus>;
  /** Is one of these. */
  in?: InputMaybe<Array<JobStatus>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<JobStatus>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<JobStatus>>;
};

/** Where rows without a value stand. */
export enum Nulls {
  /** Before all others. */
  First = 'FIRST',
  /** After all others. */
  Last = 'LAST'
}

/** Where a page stands in its list. */
export type PageInfo = {
  __typename?: 'PageInfo';
  /** The last row's cursor; null on an empty page. */
  endCursor?: Maybe<Scalars['String']['output']>;
  /** Whether rows follow the page. With `before`: true, as the cursor's row follows. */
  hasNextPage: Scalars['Boolean']['output'];
  /** Whether rows precede the page. With `after` or an `offset`: true, as the skipped rows precede. */
  hasPreviousPage: Scalars['Boolean']['output'];
  /** The first row's cursor; null on an empty page. */
  startCursor?: Maybe<Scalars['String']['output']>;
};

/** Everything that can be read. */
export type Query = {
  __typename?: 'Query';
  /** The Agent of this id; null where there is none for the viewer. */
  agent?: Maybe<Agent>;
  /** The AgentApiLog of this id; null where there is none for the viewer. */
  agentApiLog?: Maybe<AgentApiLog>;
  /** A list: One call of the agents' HTTP API: every enrolment and ticket, and what failed. */
  agentApiLogs: AgentApiLogConnection;
  /** The Agent of this guid; null where there is none for the viewer. */
  agentByGuid?: Maybe<Agent>;
  /** A list: The program of ours on one client device; it checks in every minute. */
  agents: AgentConnection;
  /** The ApiLog of this id; null where there is none for the viewer. */
  apiLog?: Maybe<ApiLog>;
  /** A list: One call to a vendor's API and its answer. For the platform alone. */
  apiLogs: ApiLogConnection;
  /** A list: One change of a row by a person, an agent or the platform. Never changed afterwards. */
  auditLog: AuditLogEntryConnection;
  /** The AuditLogEntry of this id; null where there is none for the viewer. */
  auditLogEntry?: Maybe<AuditLogEntry>;
  /** The DataSource of this id; null where there is none for the viewer. */
  dataSource?: Maybe<DataSource>;
  /** The DataSourceToSite of this id; null where there is none for the viewer. */
  dataSourceToSite?: Maybe<DataSourceToSite>;
  /** A list: That a data source of the whole tenant serves a site, too. */
  dataSourceToSites: DataSourceToSiteConnection;
  /** A list: An integration as one tenant, or one site of it, has set it up. */
  dataSources: DataSourceConnection;
  /** A list: A thing that an integration told of: a company, an endpoint, a ticket, an identity, ... */
  entities: EntityConnection;
  /** The Entity of this id; null where there is none for the viewer. */
  entity?: Maybe<Entity>;
  /** The EntityRelationship of this id; null where there is none for the viewer. */
  entityRelationship?: Maybe<EntityRelationship>;
  /** A list: That one entity belongs to another: an identity to a group, an endpoint to a company. */
  entityRelationships: EntityRelationshipConnection;
  /** The EventLogEntry of this id; null where there is none for the viewer. */
  eventLogEntry?: Maybe<EventLogEntry>;
  /** A list: Something that happened to an entity, and how far its handling is. */
  eventsLog: EventLogEntryConnection;
  /** A list: A thing that an integration told of and that is the same for all tenants: a licence plan, ... */
  globalEntities: GlobalEntityConnection;
  /** The GlobalEntity of this id; null where there is none for the viewer. */
  globalEntity?: Maybe<GlobalEntity>;
  /** The HealthCheck of this id; null where there is none for the viewer. */
  healthCheck?: Maybe<HealthCheck>;
  /** A list: How one resource is doing: an agent, a data source, a site, a job or an integration. */
  healthChecks: HealthCheckConnection;
  /** The Integration of this id; null where there is none for the viewer. */
  integration?: Maybe<Integration>;
  /** The IntegrationPricingTier of this id; null where there is none for the viewer. */
  integrationPricingTier?: Maybe<IntegrationPricingTier>;
  /** A list: What a unit of an integration costs a tenant, over a time. */
  integrationPricingTiers: IntegrationPricingTierConnection;
  /** A list: A product that data can come from (HaloPSA, Sophos, ...), the same for all tenants. */
  integrations: IntegrationConnection;
  /** The Role of this id; null where there is none for the viewer. */
  role?: Maybe<Role>;
  /** A list: A set of rights that users are given together. */
  roles: RoleConnection;
  /** The ScheduledJob of this id; null where there is none for the viewer. */
  scheduledJob?: Maybe<ScheduledJob>;
  /** A list: A piece of work in the background, such as a sync. */
  scheduledJobs: ScheduledJobConnection;
  /** The Site of this id; null where there is none for the viewer. */
  site?: Maybe<Site>;
  /** The Site of this slug; null where there is none for the viewer. */
  siteBySlug?: Maybe<Site>;
  /** A list: A customer, or a place of a customer, that the tenant looks after. */
  sites: SiteConnection;
  /** The Tenant of this id; null where there is none for the viewer. */
  tenant?: Maybe<Tenant>;
  /** The TenantBill of this id; null where there is none for the viewer. */
  tenantBill?: Maybe<TenantBill>;
  /** The TenantBillLineItem of this id; null where there is none for the viewer. */
  tenantBillLineItem?: Maybe<TenantBillLineItem>;
  /** A list: One line of a bill. */
  tenantBillLineItems: TenantBillLineItemConnection;
  /** The TenantBillingAdjustment of this id; null where there is none for the viewer. */
  tenantBillingAdjustment?: Maybe<TenantBillingAdjustment>;
  /** A list: A credit, debit or discount on a tenant's bills, over a time. */
  tenantBillingAdjustments: TenantBillingAdjustmentConnection;
  /** A list: What a tenant is billed for a period. */
  tenantBills: TenantBillConnection;
  /** A list: A managed service provider: the owner of everything that carries its tenantId. */
  tenants: TenantConnection;
  /** The User of this id; null where there is none for the viewer. */
  user?: Maybe<User>;
  /** A list: A person of a tenant, known to the identity provider under the same id. */
  users: UserConnection;
  /** Who is asking; null for a caller without a token. */
  viewer?: Maybe<Viewer>;
};


/** Everything that can be read. */
export type QueryAgentArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryAgentApiLogArgs = {
  id: Scalars['ID']['input'];
};


/** Everything that can be read. */
export type QueryAgentApiLogsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<AgentApiLogOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<AgentApiLogFilter>;
};


/** Everything that can be read. */
export type QueryAgentByGuidArgs = {
  guid: Scalars['String']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryAgentsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<AgentOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<AgentFilter>;
};


/** Everything that can be read. */
export type QueryApiLogArgs = {
  id: Scalars['ID']['input'];
};


/** Everything that can be read. */
export type QueryApiLogsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<ApiLogOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<ApiLogFilter>;
};


/** Everything that can be read. */
export type QueryAuditLogArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<AuditLogEntryOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<AuditLogEntryFilter>;
};


/** Everything that can be read. */
export type QueryAuditLogEntryArgs = {
  id: Scalars['ID']['input'];
};


/** Everything that can be read. */
export type QueryDataSourceArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryDataSourceToSiteArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryDataSourceToSitesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<DataSourceToSiteOrder>>;
  where?: InputMaybe<DataSourceToSiteFilter>;
};


/** Everything that can be read. */
export type QueryDataSourcesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<DataSourceOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<DataSourceFilter>;
};


/** Everything that can be read. */
export type QueryEntitiesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EntityOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<EntityFilter>;
};


/** Everything that can be read. */
export type QueryEntityArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryEntityRelationshipArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryEntityRelationshipsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EntityRelationshipOrder>>;
  where?: InputMaybe<EntityRelationshipFilter>;
};


/** Everything that can be read. */
export type QueryEventLogEntryArgs = {
  id: Scalars['ID']['input'];
};


/** Everything that can be read. */
export type QueryEventsLogArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EventLogEntryOrder>>;
  where?: InputMaybe<EventLogEntryFilter>;
};


/** Everything that can be read. */
export type QueryGlobalEntitiesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<GlobalEntityOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<GlobalEntityFilter>;
};


/** Everything that can be read. */
export type QueryGlobalEntityArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryHealthCheckArgs = {
  id: Scalars['ID']['input'];
};


/** Everything that can be read. */
export type QueryHealthChecksArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<HealthCheckOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<HealthCheckFilter>;
};


/** Everything that can be read. */
export type QueryIntegrationArgs = {
  id: Scalars['ID']['input'];
};


/** Everything that can be read. */
export type QueryIntegrationPricingTierArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryIntegrationPricingTiersArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<IntegrationPricingTierOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<IntegrationPricingTierFilter>;
};


/** Everything that can be read. */
export type QueryIntegrationsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<IntegrationOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<IntegrationFilter>;
};


/** Everything that can be read. */
export type QueryRoleArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryRolesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<RoleOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<RoleFilter>;
};


/** Everything that can be read. */
export type QueryScheduledJobArgs = {
  id: Scalars['ID']['input'];
};


/** Everything that can be read. */
export type QueryScheduledJobsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<ScheduledJobOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<ScheduledJobFilter>;
};


/** Everything that can be read. */
export type QuerySiteArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QuerySiteBySlugArgs = {
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  slug: Scalars['String']['input'];
};


/** Everything that can be read. */
export type QuerySitesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<SiteOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<SiteFilter>;
};


/** Everything that can be read. */
export type QueryTenantArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryTenantBillArgs = {
  id: Scalars['ID']['input'];
};


/** Everything that can be read. */
export type QueryTenantBillLineItemArgs = {
  id: Scalars['ID']['input'];
};


/** Everything that can be read. */
export type QueryTenantBillLineItemsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantBillLineItemOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantBillLineItemFilter>;
};


/** Everything that can be read. */
export type QueryTenantBillingAdjustmentArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryTenantBillingAdjustmentsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantBillingAdjustmentOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantBillingAdjustmentFilter>;
};


/** Everything that can be read. */
export type QueryTenantBillsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantBillOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantBillFilter>;
};


/** Everything that can be read. */
export type QueryTenantsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantFilter>;
};


/** Everything that can be read. */
export type QueryUserArgs = {
  id: Scalars['ID']['input'];
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
};


/** Everything that can be read. */
export type QueryUsersArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<UserOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<UserFilter>;
};

/** A set of rights that users are given together. */
export type Role = {
  __typename?: 'Role';
  /** When the role was created. */
  createdAt: Scalars['Timestamp']['output'];
  /** When the role was deleted; null while it is not. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** What the role is for. */
  description: Scalars['String']['output'];
  /** The role's id. */
  id: Scalars['ID']['output'];
  /** The role's name. */
  name: Scalars['String']['output'];
  /** What it grants: an object of `"Module.Access": true`. */
  rights: Scalars['JSON']['output'];
  /** The tenant that made the role; null for a global one. */
  tenant?: Maybe<Tenant>;
  /** The tenant that made the role; null for one that is offered to every tenant. */
  tenantId?: Maybe<Scalars['ID']['output']>;
  /** When a person or a job last changed the role. */
  updatedAt: Scalars['Timestamp']['output'];
  /** The users of the viewer's tenant who have this role. */
  users?: Maybe<UserConnection>;
};


/** A set of rights that users are given together. */
export type RoleUsersArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<UserOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<UserFilter>;
};

/** A page of `roles`. */
export type RoleConnection = {
  __typename?: 'RoleConnection';
  /** The rows of the page with their cursors. */
  edges: Array<RoleEdge>;
  /** The rows of the page. */
  nodes: Array<Role>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `roles` and where it stands. */
export type RoleEdge = {
  __typename?: 'RoleEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: Role;
};

/** Which rows of `roles` to keep; all that is said must hold. */
export type RoleFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<RoleFilter>>;
  /** When the role was created. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** When the role was deleted; null while it is not. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** What the role is for. */
  description?: InputMaybe<StringFilter>;
  /** The role's id. */
  id?: InputMaybe<IdFilter>;
  /** The role's name. */
  name?: InputMaybe<StringFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<RoleFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<RoleFilter>>;
  /** What it grants: an object of `"Module.Access": true`. */
  rights?: InputMaybe<JsonFilter>;
  /** Looks at the row behind `tenant`: the tenant that made the role; null for a global one. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant that made the role; null for one that is offered to every tenant. */
  tenantId?: InputMaybe<IdFilter>;
  /** When a person or a job last changed the role. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `roles`. */
export type RoleOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: RoleOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `roles` can be ordered by. */
export enum RoleOrderField {
  /** When the role was created. */
  CreatedAt = 'CREATED_AT',
  /** When the role was deleted; null while it is not. */
  DeletedAt = 'DELETED_AT',
  /** What the role is for. */
  Description = 'DESCRIPTION',
  /** The role's id. */
  Id = 'ID',
  /** The role's name. */
  Name = 'NAME',
  /** The tenant that made the role; null for one that is offered to every tenant. */
  TenantId = 'TENANT_ID',
  /** When a person or a job last changed the role. */
  UpdatedAt = 'UPDATED_AT'
}

/** A piece of work in the background, such as a sync. */
export type ScheduledJob = {
  __typename?: 'ScheduledJob';
  /** What it does: `sync.sites`, `sync.devices`, ... */
  action: Scalars['String']['output'];
  /** How often it was tried. */
  attempts: Scalars['Int']['output'];
  /** How often it may be tried. */
  attemptsMax: Scalars['Int']['output'];
  /** When it was asked for. */
  createdAt: Scalars['Timestamp']['output'];
  /** Who or what asked for it. */
  createdBy: Scalars['String']['output'];
  /** The data source that it works on. */
  dataSource?: Maybe<DataSource>;
  /** The data source that it works on, if it is one. */
  dataSourceId?: Maybe<Scalars['ID']['output']>;
  /** Why the last try failed. */
  error?: Maybe<Scalars['String']['output']>;
  /** Its health; null while nothing has been reported. */
  healthCheck?: Maybe<HealthCheck>;
  /** The job's id. */
  id: Scalars['ID']['output'];
  /** The integration that it works with. */
  integration?: Maybe<Integration>;
  /** The integration that it works with. */
  integrationId: Scalars['ID']['output'];
  /** When it is tried again; null if it is not. */
  nextRetryAt?: Maybe<Scalars['Timestamp']['output']>;
  /** What it was given. */
  payload: Scalars['JSON']['output'];
  /** Higher goes first; null is the middle. */
  priority?: Maybe<Scalars['Int']['output']>;
  /** When it is due. */
  scheduledAt: Scalars['Timestamp']['output'];
  /** When it last began; null if it has not. */
  startedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** How far it is. */
  status: JobStatus;
  /** The tenant that it works for. */
  tenant?: Maybe<Tenant>;
  /** The tenant that it works for. */
  tenantId: Scalars['ID']['output'];
  /** When it last changed. */
  updatedAt: Scalars['Timestamp']['output'];
};

/** A page of `scheduledJobs`. */
export type ScheduledJobConnection = {
  __typename?: 'ScheduledJobConnection';
  /** The rows of the page with their cursors. */
  edges: Array<ScheduledJobEdge>;
  /** The rows of the page. */
  nodes: Array<ScheduledJob>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `scheduledJobs` and where it stands. */
export type ScheduledJobEdge = {
  __typename?: 'ScheduledJobEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: ScheduledJob;
};

/** Which rows of `scheduledJobs` to keep; all that is said must hold. */
export type ScheduledJobFilter = {
  /** What it does: `sync.sites`, `sync.devices`, ... */
  action?: InputMaybe<StringFilter>;
  /** All of these hold, too. */
  and?: InputMaybe<Array<ScheduledJobFilter>>;
  /** How often it was tried. */
  attempts?: InputMaybe<IntFilter>;
  /** How often it may be tried. */
  attemptsMax?: InputMaybe<IntFilter>;
  /** When it was asked for. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** Who or what asked for it. */
  createdBy?: InputMaybe<StringFilter>;
  /** Looks at the row behind `dataSource`: the data source that it works on. */
  dataSource?: InputMaybe<DataSourceFilter>;
  /** The data source that it works on, if it is one. */
  dataSourceId?: InputMaybe<IdFilter>;
  /** Why the last try failed. */
  error?: InputMaybe<StringFilter>;
  /** The job's id. */
  id?: InputMaybe<IdFilter>;
  /** Looks at the row behind `integration`: the integration that it works with. */
  integration?: InputMaybe<IntegrationFilter>;
  /** The integration that it works with. */
  integrationId?: InputMaybe<IdFilter>;
  /** When it is tried again; null if it is not. */
  nextRetryAt?: InputMaybe<TimestampFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<ScheduledJobFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<ScheduledJobFilter>>;
  /** What it was given. */
  payload?: InputMaybe<JsonFilter>;
  /** Higher goes first; null is the middle. */
  priority?: InputMaybe<IntFilter>;
  /** When it is due. */
  scheduledAt?: InputMaybe<TimestampFilter>;
  /** When it last began; null if it has not. */
  startedAt?: InputMaybe<TimestampFilter>;
  /** How far it is. */
  status?: InputMaybe<JobStatusFilter>;
  /** Looks at the row behind `tenant`: the tenant that it works for. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant that it works for. */
  tenantId?: InputMaybe<IdFilter>;
  /** When it last changed. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `scheduledJobs`. */
export type ScheduledJobOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: ScheduledJobOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `scheduledJobs` can be ordered by. */
export enum ScheduledJobOrderField {
  /** What it does: `sync.sites`, `sync.devices`, ... */
  Action = 'ACTION',
  /** How often it was tried. */
  Attempts = 'ATTEMPTS',
  /** How often it may be tried. */
  AttemptsMax = 'ATTEMPTS_MAX',
  /** When it was asked for. */
  CreatedAt = 'CREATED_AT',
  /** Who or what asked for it. */
  CreatedBy = 'CREATED_BY',
  /** The data source that it works on, if it is one. */
  DataSourceId = 'DATA_SOURCE_ID',
  /** Why the last try failed. */
  Error = 'ERROR',
  /** The job's id. */
  Id = 'ID',
  /** The integration that it works with. */
  IntegrationId = 'INTEGRATION_ID',
  /** When it is tried again; null if it is not. */
  NextRetryAt = 'NEXT_RETRY_AT',
  /** Higher goes first; null is the middle. */
  Priority = 'PRIORITY',
  /** When it is due. */
  ScheduledAt = 'SCHEDULED_AT',
  /** When it last began; null if it has not. */
  StartedAt = 'STARTED_AT',
  /** How far it is. */
  Status = 'STATUS',
  /** The tenant that it works for. */
  TenantId = 'TENANT_ID',
  /** When it last changed. */
  UpdatedAt = 'UPDATED_AT'
}

/** A customer, or a place of a customer, that the tenant looks after. */
export type Site = {
  __typename?: 'Site';
  /** The calls of this site's agents. */
  agentApiLogs?: Maybe<AgentApiLogConnection>;
  /** The agents on this site's devices. */
  agents?: Maybe<AgentConnection>;
  /** When the site was created. */
  createdAt: Scalars['Timestamp']['output'];
  /** The tenant's data sources that are mapped to it. */
  dataSourceToSites?: Maybe<DataSourceToSiteConnection>;
  /** The data sources that serve this site alone. */
  dataSources?: Maybe<DataSourceConnection>;
  /** When the site was deleted; null while it is not. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** The entities that belong to this site. */
  entities?: Maybe<EntityConnection>;
  /** Its health; null while nothing has been reported. */
  healthCheck?: Maybe<HealthCheck>;
  /** The site's id. Agents' guids are made of it, so it never changes. */
  id: Scalars['ID']['output'];
  /** Free data of the dashboards about this site. */
  metadata?: Maybe<Scalars['JSON']['output']>;
  /** The site's name. */
  name: Scalars['String']['output'];
  /** The company's id in that PSA. */
  psaCompanyId?: Maybe<Scalars['String']['output']>;
  /** The PSA in which the site is a company. */
  psaIntegration?: Maybe<Integration>;
  /** The PSA in which the site is a company; null if it is not linked. */
  psaIntegrationId?: Maybe<Scalars['ID']['output']>;
  /** The id of that company's parent in the PSA, if it has one. */
  psaParentCompanyId?: Maybe<Scalars['String']['output']>;
  /** The name in addresses; unique in the tenant. */
  slug: Scalars['String']['output'];
  /** Whether the site is served; agents of an archived one are turned away. */
  status: SiteStatus;
  /** The tenant that looks after the site. */
  tenant?: Maybe<Tenant>;
  /** The tenant that looks after the site. */
  tenantId: Scalars['ID']['output'];
  /** When a person or a job last changed the site. */
  updatedAt: Scalars['Timestamp']['output'];
};


/** A customer, or a place of a customer, that the tenant looks after. */
export type SiteAgentApiLogsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<AgentApiLogOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<AgentApiLogFilter>;
};


/** A customer, or a place of a customer, that the tenant looks after. */
export type SiteAgentsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<AgentOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<AgentFilter>;
};


/** A customer, or a place of a customer, that the tenant looks after. */
export type SiteDataSourceToSitesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<DataSourceToSiteOrder>>;
  where?: InputMaybe<DataSourceToSiteFilter>;
};


/** A customer, or a place of a customer, that the tenant looks after. */
export type SiteDataSourcesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<DataSourceOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<DataSourceFilter>;
};


/** A customer, or a place of a customer, that the tenant looks after. */
export type SiteEntitiesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EntityOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<EntityFilter>;
};

/** A page of `sites`. */
export type SiteConnection = {
  __typename?: 'SiteConnection';
  /** The rows of the page with their cursors. */
  edges: Array<SiteEdge>;
  /** The rows of the page. */
  nodes: Array<Site>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `sites` and where it stands. */
export type SiteEdge = {
  __typename?: 'SiteEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: Site;
};

/** Which rows of `sites` to keep; all that is said must hold. */
export type SiteFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<SiteFilter>>;
  /** When the site was created. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** When the site was deleted; null while it is not. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** The site's id. Agents' guids are made of it, so it never changes. */
  id?: InputMaybe<IdFilter>;
  /** Free data of the dashboards about this site. */
  metadata?: InputMaybe<JsonFilter>;
  /** The site's name. */
  name?: InputMaybe<StringFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<SiteFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<SiteFilter>>;
  /** The company's id in that PSA. */
  psaCompanyId?: InputMaybe<StringFilter>;
  /** Looks at the row behind `psaIntegration`: the PSA in which the site is a company. */
  psaIntegration?: InputMaybe<IntegrationFilter>;
  /** The PSA in which the site is a company; null if it is not linked. */
  psaIntegrationId?: InputMaybe<IdFilter>;
  /** The id of that company's parent in the PSA, if it has one. */
  psaParentCompanyId?: InputMaybe<StringFilter>;
  /** The name in addresses; unique in the tenant. */
  slug?: InputMaybe<StringFilter>;
  /** Whether the site is served; agents of an archived one are turned away. */
  status?: InputMaybe<SiteStatusFilter>;
  /** Looks at the row behind `tenant`: the tenant that looks after the site. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant that looks after the site. */
  tenantId?: InputMaybe<IdFilter>;
  /** When a person or a job last changed the site. */
  updatedAt?: InputMaybe<TimestampFilter>;
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
export enum SiteOrderField {
  /** When the site was created. */
  CreatedAt = 'CREATED_AT',
  /** When the site was deleted; null while it is not. */
  DeletedAt = 'DELETED_AT',
  /** The site's id. Agents' guids are made of it, so it never changes. */
  Id = 'ID',
  /** The site's name. */
  Name = 'NAME',
  /** The company's id in that PSA. */
  PsaCompanyId = 'PSA_COMPANY_ID',
  /** The PSA in which the site is a company; null if it is not linked. */
  PsaIntegrationId = 'PSA_INTEGRATION_ID',
  /** The id of that company's parent in the PSA, if it has one. */
  PsaParentCompanyId = 'PSA_PARENT_COMPANY_ID',
  /** The name in addresses; unique in the tenant. */
  Slug = 'SLUG',
  /** Whether the site is served; agents of an archived one are turned away. */
  Status = 'STATUS',
  /** The tenant that looks after the site. */
  TenantId = 'TENANT_ID',
  /** When a person or a job last changed the site. */
  UpdatedAt = 'UPDATED_AT'
}

/** Whether a site is served. */
export enum SiteStatus {
  /** It is. */
  Active = 'ACTIVE',
  /** It is kept for the record; its agents are turned away. */
  Archived = 'ARCHIVED',
  /** It is not at the moment. */
  Inactive = 'INACTIVE'
}

/** Compares a SiteStatus. */
export type SiteStatusFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<SiteStatus>;
  /** Is one of these. */
  in?: InputMaybe<Array<SiteStatus>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<SiteStatus>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<SiteStatus>>;
};

/** Compares a text, by code points. */
export type StringFilter = {
  /** Contains this text, case aside. */
  contains?: InputMaybe<Scalars['String']['input']>;
  /** Ends with this text, case aside. */
  endsWith?: InputMaybe<Scalars['String']['input']>;
  /** Is this value; null: has no value. */
  eq?: InputMaybe<Scalars['String']['input']>;
  /** Is greater than this. */
  gt?: InputMaybe<Scalars['String']['input']>;
  /** Is this or greater. */
  gte?: InputMaybe<Scalars['String']['input']>;
  /** Is one of these. */
  in?: InputMaybe<Array<Scalars['String']['input']>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is less than this. */
  lt?: InputMaybe<Scalars['String']['input']>;
  /** Is this or less. */
  lte?: InputMaybe<Scalars['String']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<Scalars['String']['input']>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<Scalars['String']['input']>>;
  /** Begins with this text, case aside. */
  startsWith?: InputMaybe<Scalars['String']['input']>;
};

/** Compares a list of texts. */
export type StringListFilter = {
  /** Has this text among its members. */
  has?: InputMaybe<Scalars['String']['input']>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
};

/** A managed service provider: the owner of everything that carries its tenantId. */
export type Tenant = {
  __typename?: 'Tenant';
  /** The calls of this tenant's agents. */
  agentApiLogs?: Maybe<AgentApiLogConnection>;
  /** The agents of all sites of this tenant. */
  agents?: Maybe<AgentConnection>;
  /** The changes made in this tenant. */
  auditLog?: Maybe<AuditLogEntryConnection>;
  /** The lines of all bills of this tenant. */
  billLineItems?: Maybe<TenantBillLineItemConnection>;
  /** The adjustments of this tenant's bills. */
  billingAdjustments?: Maybe<TenantBillingAdjustmentConnection>;
  /** The bills of this tenant. */
  bills?: Maybe<TenantBillConnection>;
  /** When the tenant was created. */
  createdAt: Scalars['Timestamp']['output'];
  /** Which data sources serve which sites in this tenant. */
  dataSourceToSites?: Maybe<DataSourceToSiteConnection>;
  /** The data sources of this tenant. */
  dataSources?: Maybe<DataSourceConnection>;
  /** When the tenant was deleted; null while it is not. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** All entities of this tenant. */
  entities?: Maybe<EntityConnection>;
  /** How this tenant's entities belong together. */
  entityRelationships?: Maybe<EntityRelationshipConnection>;
  /** The events of this tenant. */
  eventsLog?: Maybe<EventLogEntryConnection>;
  /** How this tenant's resources are doing. */
  healthChecks?: Maybe<HealthCheckConnection>;
  /** The tenant's id. */
  id: Scalars['ID']['output'];
  /** Free data of the dashboards about this tenant. */
  metadata?: Maybe<Scalars['JSON']['output']>;
  /** The company's name. */
  name: Scalars['String']['output'];
  /** The prices that hold for this tenant. */
  pricingTiers?: Maybe<IntegrationPricingTierConnection>;
  /** The roles that this tenant made for itself. */
  roles?: Maybe<RoleConnection>;
  /** The jobs of this tenant. */
  scheduledJobs?: Maybe<ScheduledJobConnection>;
  /** The sites that this tenant looks after. */
  sites?: Maybe<SiteConnection>;
  /** Whether its people may work; any but ACTIVE shuts them out at once. */
  status: TenantStatus;
  /** When a person or a job last changed the tenant. */
  updatedAt: Scalars['Timestamp']['output'];
  /** The people of this tenant. */
  users?: Maybe<UserConnection>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantAgentApiLogsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<AgentApiLogOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<AgentApiLogFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantAgentsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<AgentOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<AgentFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantAuditLogArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<AuditLogEntryOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<AuditLogEntryFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantBillLineItemsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantBillLineItemOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantBillLineItemFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantBillingAdjustmentsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantBillingAdjustmentOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantBillingAdjustmentFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantBillsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantBillOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantBillFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantDataSourceToSitesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<DataSourceToSiteOrder>>;
  where?: InputMaybe<DataSourceToSiteFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantDataSourcesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<DataSourceOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<DataSourceFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantEntitiesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EntityOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<EntityFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantEntityRelationshipsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EntityRelationshipOrder>>;
  where?: InputMaybe<EntityRelationshipFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantEventsLogArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<EventLogEntryOrder>>;
  where?: InputMaybe<EventLogEntryFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantHealthChecksArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<HealthCheckOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<HealthCheckFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantPricingTiersArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<IntegrationPricingTierOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<IntegrationPricingTierFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantRolesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<RoleOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<RoleFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantScheduledJobsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<ScheduledJobOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<ScheduledJobFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantSitesArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<SiteOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<SiteFilter>;
};


/** A managed service provider: the owner of everything that carries its tenantId. */
export type TenantUsersArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<UserOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<UserFilter>;
};

/** What a tenant is billed for a period. */
export type TenantBill = {
  __typename?: 'TenantBill';
  /** When it was drafted. */
  createdAt: Scalars['Timestamp']['output'];
  /** When it was made final; null while it is a draft. */
  finalizedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** The bill's id. */
  id: Scalars['ID']['output'];
  /** The lines of this bill. */
  lineItems?: Maybe<TenantBillLineItemConnection>;
  /** A note on the bill. */
  notes?: Maybe<Scalars['String']['output']>;
  /** When it was paid; null while it is not. */
  paidAt?: Maybe<Scalars['Timestamp']['output']>;
  /** When it ends. */
  periodEnd: Scalars['Timestamp']['output'];
  /** When the billed period begins. */
  periodStart: Scalars['Timestamp']['output'];
  /** How far the bill is. */
  status: BillStatus;
  /** The tenant that is billed. */
  tenant?: Maybe<Tenant>;
  /** The tenant that is billed. */
  tenantId: Scalars['ID']['output'];
  /** The sum of its lines and adjustments. */
  total: Scalars['Decimal']['output'];
  /** When it last changed. */
  updatedAt: Scalars['Timestamp']['output'];
};


/** What a tenant is billed for a period. */
export type TenantBillLineItemsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantBillLineItemOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantBillLineItemFilter>;
};

/** A page of `tenantBills`. */
export type TenantBillConnection = {
  __typename?: 'TenantBillConnection';
  /** The rows of the page with their cursors. */
  edges: Array<TenantBillEdge>;
  /** The rows of the page. */
  nodes: Array<TenantBill>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `tenantBills` and where it stands. */
export type TenantBillEdge = {
  __typename?: 'TenantBillEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: TenantBill;
};

/** Which rows of `tenantBills` to keep; all that is said must hold. */
export type TenantBillFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<TenantBillFilter>>;
  /** When it was drafted. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** When it was made final; null while it is a draft. */
  finalizedAt?: InputMaybe<TimestampFilter>;
  /** The bill's id. */
  id?: InputMaybe<IdFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<TenantBillFilter>;
  /** A note on the bill. */
  notes?: InputMaybe<StringFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<TenantBillFilter>>;
  /** When it was paid; null while it is not. */
  paidAt?: InputMaybe<TimestampFilter>;
  /** When it ends. */
  periodEnd?: InputMaybe<TimestampFilter>;
  /** When the billed period begins. */
  periodStart?: InputMaybe<TimestampFilter>;
  /** How far the bill is. */
  status?: InputMaybe<BillStatusFilter>;
  /** Looks at the row behind `tenant`: the tenant that is billed. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant that is billed. */
  tenantId?: InputMaybe<IdFilter>;
  /** The sum of its lines and adjustments. */
  total?: InputMaybe<DecimalFilter>;
  /** When it last changed. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One line of a bill. */
export type TenantBillLineItem = {
  __typename?: 'TenantBillLineItem';
  /** The bill that it is on. */
  bill?: Maybe<TenantBill>;
  /** The bill that it is on. */
  billId: Scalars['ID']['output'];
  /** When it was reckoned. */
  createdAt: Scalars['Timestamp']['output'];
  /** What is billed. */
  description: Scalars['String']['output'];
  /** The line's id. */
  id: Scalars['ID']['output'];
  /** The integration that it bills. */
  integration?: Maybe<Integration>;
  /** The integration that it bills. */
  integrationId: Scalars['ID']['output'];
  /** How the units were counted. */
  metadata?: Maybe<Scalars['JSON']['output']>;
  /** The price that it was reckoned with. */
  pricingTier?: Maybe<IntegrationPricingTier>;
  /** The price that it was reckoned with. */
  pricingTierId: Scalars['ID']['output'];
  /** The tenant that is billed. */
  tenant?: Maybe<Tenant>;
  /** The tenant that is billed. */
  tenantId: Scalars['ID']['output'];
  /** Units times price. */
  total: Scalars['Decimal']['output'];
  /** The price of one unit at the time. */
  unitCost: Scalars['Decimal']['output'];
  /** How many units. */
  units: Scalars['Decimal']['output'];
};

/** A page of `tenantBillLineItems`. */
export type TenantBillLineItemConnection = {
  __typename?: 'TenantBillLineItemConnection';
  /** The rows of the page with their cursors. */
  edges: Array<TenantBillLineItemEdge>;
  /** The rows of the page. */
  nodes: Array<TenantBillLineItem>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `tenantBillLineItems` and where it stands. */
export type TenantBillLineItemEdge = {
  __typename?: 'TenantBillLineItemEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: TenantBillLineItem;
};

/** Which rows of `tenantBillLineItems` to keep; all that is said must hold. */
export type TenantBillLineItemFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<TenantBillLineItemFilter>>;
  /** Looks at the row behind `bill`: the bill that it is on. */
  bill?: InputMaybe<TenantBillFilter>;
  /** The bill that it is on. */
  billId?: InputMaybe<IdFilter>;
  /** When it was reckoned. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** What is billed. */
  description?: InputMaybe<StringFilter>;
  /** The line's id. */
  id?: InputMaybe<IdFilter>;
  /** Looks at the row behind `integration`: the integration that it bills. */
  integration?: InputMaybe<IntegrationFilter>;
  /** The integration that it bills. */
  integrationId?: InputMaybe<IdFilter>;
  /** How the units were counted. */
  metadata?: InputMaybe<JsonFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<TenantBillLineItemFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<TenantBillLineItemFilter>>;
  /** Looks at the row behind `pricingTier`: the price that it was reckoned with. */
  pricingTier?: InputMaybe<IntegrationPricingTierFilter>;
  /** The price that it was reckoned with. */
  pricingTierId?: InputMaybe<IdFilter>;
  /** Looks at the row behind `tenant`: the tenant that is billed. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant that is billed. */
  tenantId?: InputMaybe<IdFilter>;
  /** Units times price. */
  total?: InputMaybe<DecimalFilter>;
  /** The price of one unit at the time. */
  unitCost?: InputMaybe<DecimalFilter>;
  /** How many units. */
  units?: InputMaybe<DecimalFilter>;
};

/** One term of the order of `tenantBillLineItems`. */
export type TenantBillLineItemOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: TenantBillLineItemOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `tenantBillLineItems` can be ordered by. */
export enum TenantBillLineItemOrderField {
  /** The bill that it is on. */
  BillId = 'BILL_ID',
  /** When it was reckoned. */
  CreatedAt = 'CREATED_AT',
  /** What is billed. */
  Description = 'DESCRIPTION',
  /** The line's id. */
  Id = 'ID',
  /** The integration that it bills. */
  IntegrationId = 'INTEGRATION_ID',
  /** The price that it was reckoned with. */
  PricingTierId = 'PRICING_TIER_ID',
  /** The tenant that is billed. */
  TenantId = 'TENANT_ID',
  /** Units times price. */
  Total = 'TOTAL',
  /** How many units. */
  Units = 'UNITS',
  /** The price of one unit at the time. */
  UnitCost = 'UNIT_COST'
}

/** One term of the order of `tenantBills`. */
export type TenantBillOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: TenantBillOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `tenantBills` can be ordered by. */
export enum TenantBillOrderField {
  /** When it was drafted. */
  CreatedAt = 'CREATED_AT',
  /** When it was made final; null while it is a draft. */
  FinalizedAt = 'FINALIZED_AT',
  /** The bill's id. */
  Id = 'ID',
  /** A note on the bill. */
  Notes = 'NOTES',
  /** When it was paid; null while it is not. */
  PaidAt = 'PAID_AT',
  /** When it ends. */
  PeriodEnd = 'PERIOD_END',
  /** When the billed period begins. */
  PeriodStart = 'PERIOD_START',
  /** How far the bill is. */
  Status = 'STATUS',
  /** The tenant that is billed. */
  TenantId = 'TENANT_ID',
  /** The sum of its lines and adjustments. */
  Total = 'TOTAL',
  /** When it last changed. */
  UpdatedAt = 'UPDATED_AT'
}

/** A credit, debit or discount on a tenant's bills, over a time. */
export type TenantBillingAdjustment = {
  __typename?: 'TenantBillingAdjustment';
  /** How much, in the bill's currency. */
  amount: Scalars['Decimal']['output'];
  /** When it was given. */
  createdAt: Scalars['Timestamp']['output'];
  /** The user who gave it; null if it was no user. */
  createdBy?: Maybe<Scalars['ID']['output']>;
  /** The user who gave it. */
  creator?: Maybe<User>;
  /** When it was taken back; null while it holds. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** When it begins to hold. */
  effectiveFrom: Scalars['Timestamp']['output'];
  /** When it ceases to hold. */
  effectiveTo: Scalars['Timestamp']['output'];
  /** The adjustment's id. */
  id: Scalars['ID']['output'];
  /** The integration that it is for. */
  integration?: Maybe<Integration>;
  /** The integration that it is for; null for the whole bill. */
  integrationId?: Maybe<Scalars['ID']['output']>;
  /** Why it was given. */
  reason: Scalars['String']['output'];
  /** The tenant whose bills it changes. */
  tenant?: Maybe<Tenant>;
  /** The tenant whose bills it changes. */
  tenantId: Scalars['ID']['output'];
  /** Which way it goes. */
  type: AdjustmentType;
  /** When a person or a job last changed it. */
  updatedAt: Scalars['Timestamp']['output'];
};

/** A page of `tenantBillingAdjustments`. */
export type TenantBillingAdjustmentConnection = {
  __typename?: 'TenantBillingAdjustmentConnection';
  /** The rows of the page with their cursors. */
  edges: Array<TenantBillingAdjustmentEdge>;
  /** The rows of the page. */
  nodes: Array<TenantBillingAdjustment>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `tenantBillingAdjustments` and where it stands. */
export type TenantBillingAdjustmentEdge = {
  __typename?: 'TenantBillingAdjustmentEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: TenantBillingAdjustment;
};

/** Which rows of `tenantBillingAdjustments` to keep; all that is said must hold. */
export type TenantBillingAdjustmentFilter = {
  /** How much, in the bill's currency. */
  amount?: InputMaybe<DecimalFilter>;
  /** All of these hold, too. */
  and?: InputMaybe<Array<TenantBillingAdjustmentFilter>>;
  /** When it was given. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** The user who gave it; null if it was no user. */
  createdBy?: InputMaybe<IdFilter>;
  /** Looks at the row behind `creator`: the user who gave it. */
  creator?: InputMaybe<UserFilter>;
  /** When it was taken back; null while it holds. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** When it begins to hold. */
  effectiveFrom?: InputMaybe<TimestampFilter>;
  /** When it ceases to hold. */
  effectiveTo?: InputMaybe<TimestampFilter>;
  /** The adjustment's id. */
  id?: InputMaybe<IdFilter>;
  /** Looks at the row behind `integration`: the integration that it is for. */
  integration?: InputMaybe<IntegrationFilter>;
  /** The integration that it is for; null for the whole bill. */
  integrationId?: InputMaybe<IdFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<TenantBillingAdjustmentFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<TenantBillingAdjustmentFilter>>;
  /** Why it was given. */
  reason?: InputMaybe<StringFilter>;
  /** Looks at the row behind `tenant`: the tenant whose bills it changes. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant whose bills it changes. */
  tenantId?: InputMaybe<IdFilter>;
  /** Which way it goes. */
  type?: InputMaybe<AdjustmentTypeFilter>;
  /** When a person or a job last changed it. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `tenantBillingAdjustments`. */
export type TenantBillingAdjustmentOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: TenantBillingAdjustmentOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `tenantBillingAdjustments` can be ordered by. */
export enum TenantBillingAdjustmentOrderField {
  /** How much, in the bill's currency. */
  Amount = 'AMOUNT',
  /** When it was given. */
  CreatedAt = 'CREATED_AT',
  /** The user who gave it; null if it was no user. */
  CreatedBy = 'CREATED_BY',
  /** When it was taken back; null while it holds. */
  DeletedAt = 'DELETED_AT',
  /** When it begins to hold. */
  EffectiveFrom = 'EFFECTIVE_FROM',
  /** When it ceases to hold. */
  EffectiveTo = 'EFFECTIVE_TO',
  /** The adjustment's id. */
  Id = 'ID',
  /** The integration that it is for; null for the whole bill. */
  IntegrationId = 'INTEGRATION_ID',
  /** Why it was given. */
  Reason = 'REASON',
  /** The tenant whose bills it changes. */
  TenantId = 'TENANT_ID',
  /** Which way it goes. */
  Type = 'TYPE',
  /** When a person or a job last changed it. */
  UpdatedAt = 'UPDATED_AT'
}

/** A page of `tenants`. */
export type TenantConnection = {
  __typename?: 'TenantConnection';
  /** The rows of the page with their cursors. */
  edges: Array<TenantEdge>;
  /** The rows of the page. */
  nodes: Array<Tenant>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `tenants` and where it stands. */
export type TenantEdge = {
  __typename?: 'TenantEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: Tenant;
};

/** Which rows of `tenants` to keep; all that is said must hold. */
export type TenantFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<TenantFilter>>;
  /** When the tenant was created. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** When the tenant was deleted; null while it is not. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** The tenant's id. */
  id?: InputMaybe<IdFilter>;
  /** Free data of the dashboards about this tenant. */
  metadata?: InputMaybe<JsonFilter>;
  /** The company's name. */
  name?: InputMaybe<StringFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<TenantFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<TenantFilter>>;
  /** Whether its people may work; any but ACTIVE shuts them out at once. */
  status?: InputMaybe<TenantStatusFilter>;
  /** When a person or a job last changed the tenant. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `tenants`. */
export type TenantOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: TenantOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `tenants` can be ordered by. */
export enum TenantOrderField {
  /** When the tenant was created. */
  CreatedAt = 'CREATED_AT',
  /** When the tenant was deleted; null while it is not. */
  DeletedAt = 'DELETED_AT',
  /** The tenant's id. */
  Id = 'ID',
  /** The company's name. */
  Name = 'NAME',
  /** Whether its people may work; any but ACTIVE shuts them out at once. */
  Status = 'STATUS',
  /** When a person or a job last changed the tenant. */
  UpdatedAt = 'UPDATED_AT'
}

/** Whether a tenant's people may work. */
export enum TenantStatus {
  /** They may. */
  Active = 'ACTIVE',
  /** The tenant has left; nobody may sign in. */
  Inactive = 'INACTIVE',
  /** The tenant is barred for now; nobody may sign in. */
  Suspended = 'SUSPENDED'
}

/** Compares a TenantStatus. */
export type TenantStatusFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<TenantStatus>;
  /** Is one of these. */
  in?: InputMaybe<Array<TenantStatus>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<TenantStatus>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<TenantStatus>>;
};

/** Compares a time. */
export type TimestampFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<Scalars['Timestamp']['input']>;
  /** Is greater than this. */
  gt?: InputMaybe<Scalars['Timestamp']['input']>;
  /** Is this or greater. */
  gte?: InputMaybe<Scalars['Timestamp']['input']>;
  /** Is one of these. */
  in?: InputMaybe<Array<Scalars['Timestamp']['input']>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is less than this. */
  lt?: InputMaybe<Scalars['Timestamp']['input']>;
  /** Is this or less. */
  lte?: InputMaybe<Scalars['Timestamp']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<Scalars['Timestamp']['input']>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<Scalars['Timestamp']['input']>>;
};

/** A person of a tenant, known to the identity provider under the same id. */
export type User = {
  __typename?: 'User';
  /** The changes that this user made. */
  auditLog?: Maybe<AuditLogEntryConnection>;
  /** The adjustments that this user gave. */
  billingAdjustments?: Maybe<TenantBillingAdjustmentConnection>;
  /** When the user was created or invited. */
  createdAt: Scalars['Timestamp']['output'];
  /** When the user was deleted; null while they are not. */
  deletedAt?: Maybe<Scalars['Timestamp']['output']>;
  /** The e-mail address; unique in the tenant, case aside. */
  email: Scalars['String']['output'];
  /** The identity provider's subject (for Clerk the user id). */
  id: Scalars['ID']['output'];
  /** When the user was last seen; null if never. */
  lastActivityAt?: Maybe<Scalars['Timestamp']['output']>;
  /** The user's preferences; `current_site` is the site chosen in the dashboard. */
  metadata: Scalars['JSON']['output'];
  /** The person's name. */
  name: Scalars['String']['output'];
  /** The role that says what the user may do. */
  role?: Maybe<Role>;
  /** The role that says what the user may do. */
  roleId: Scalars['ID']['output'];
  /** Whether the user may sign in. */
  status: UserStatus;
  /** The tenant that the user works for. */
  tenant?: Maybe<Tenant>;
  /** The tenant that the user works for. */
  tenantId: Scalars['ID']['output'];
  /** When a person or a job last changed the user. */
  updatedAt: Scalars['Timestamp']['output'];
};


/** A person of a tenant, known to the identity provider under the same id. */
export type UserAuditLogArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<AuditLogEntryOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<AuditLogEntryFilter>;
};


/** A person of a tenant, known to the identity provider under the same id. */
export type UserBillingAdjustmentsArgs = {
  after?: InputMaybe<Scalars['String']['input']>;
  before?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  includeDeleted?: InputMaybe<Scalars['Boolean']['input']>;
  last?: InputMaybe<Scalars['Int']['input']>;
  offset?: InputMaybe<Scalars['Int']['input']>;
  orderBy?: InputMaybe<Array<TenantBillingAdjustmentOrder>>;
  search?: InputMaybe<Scalars['String']['input']>;
  where?: InputMaybe<TenantBillingAdjustmentFilter>;
};

/** A page of `users`. */
export type UserConnection = {
  __typename?: 'UserConnection';
  /** The rows of the page with their cursors. */
  edges: Array<UserEdge>;
  /** The rows of the page. */
  nodes: Array<User>;
  /** Where the page stands in the list. */
  pageInfo: PageInfo;
  /** How many rows the list has on all pages. Counted only when asked for. */
  totalCount: Scalars['Int']['output'];
};

/** A row of `users` and where it stands. */
export type UserEdge = {
  __typename?: 'UserEdge';
  /** Where the row stands in this list, with this filter and order. */
  cursor: Scalars['String']['output'];
  /** The row. */
  node: User;
};

/** Which rows of `users` to keep; all that is said must hold. */
export type UserFilter = {
  /** All of these hold, too. */
  and?: InputMaybe<Array<UserFilter>>;
  /** When the user was created or invited. */
  createdAt?: InputMaybe<TimestampFilter>;
  /** When the user was deleted; null while they are not. */
  deletedAt?: InputMaybe<TimestampFilter>;
  /** The e-mail address; unique in the tenant, case aside. */
  email?: InputMaybe<StringFilter>;
  /** The identity provider's subject (for Clerk the user id). */
  id?: InputMaybe<IdFilter>;
  /** When the user was last seen; null if never. */
  lastActivityAt?: InputMaybe<TimestampFilter>;
  /** The user's preferences; `current_site` is the site chosen in the dashboard. */
  metadata?: InputMaybe<JsonFilter>;
  /** The person's name. */
  name?: InputMaybe<StringFilter>;
  /** This does not hold; an empty filter always does, so that its denial never does. */
  not?: InputMaybe<UserFilter>;
  /** At least one of these holds, too; an empty list never does. */
  or?: InputMaybe<Array<UserFilter>>;
  /** Looks at the row behind `role`: the role that says what the user may do. */
  role?: InputMaybe<RoleFilter>;
  /** The role that says what the user may do. */
  roleId?: InputMaybe<IdFilter>;
  /** Whether the user may sign in. */
  status?: InputMaybe<UserStatusFilter>;
  /** Looks at the row behind `tenant`: the tenant that the user works for. */
  tenant?: InputMaybe<TenantFilter>;
  /** The tenant that the user works for. */
  tenantId?: InputMaybe<IdFilter>;
  /** When a person or a job last changed the user. */
  updatedAt?: InputMaybe<TimestampFilter>;
};

/** One term of the order of `users`. */
export type UserOrder = {
  /** Which way. */
  direction?: Direction;
  /** What to order by. */
  field: UserOrderField;
  /** Where rows without a value stand, whichever way the list runs. */
  nulls?: Nulls;
};

/** What `users` can be ordered by. */
export enum UserOrderField {
  /** When the user was created or invited. */
  CreatedAt = 'CREATED_AT',
  /** When the user was deleted; null while they are not. */
  DeletedAt = 'DELETED_AT',
  /** The e-mail address; unique in the tenant, case aside. */
  Email = 'EMAIL',
  /** The identity provider's subject (for Clerk the user id). */
  Id = 'ID',
  /** When the user was last seen; null if never. */
  LastActivityAt = 'LAST_ACTIVITY_AT',
  /** The person's name. */
  Name = 'NAME',
  /** The role that says what the user may do. */
  RoleId = 'ROLE_ID',
  /** Whether the user may sign in. */
  Status = 'STATUS',
  /** The tenant that the user works for. */
  TenantId = 'TENANT_ID',
  /** When a person or a job last changed the user. */
  UpdatedAt = 'UPDATED_AT'
}

/** Whether a user may sign in. */
export enum UserStatus {
  /** They may. */
  Active = 'ACTIVE',
  /** They were switched off. */
  Inactive = 'INACTIVE',
  /** They were invited and have not signed in yet. */
  Pending = 'PENDING'
}

/** Compares a UserStatus. */
export type UserStatusFilter = {
  /** Is this value; null: has no value. */
  eq?: InputMaybe<UserStatus>;
  /** Is one of these. */
  in?: InputMaybe<Array<UserStatus>>;
  /** True: has no value. False: has one. */
  isNull?: InputMaybe<Scalars['Boolean']['input']>;
  /** Is not this value, or has none; null: has a value. */
  neq?: InputMaybe<UserStatus>;
  /** Is none of these, or has no value. */
  notIn?: InputMaybe<Array<UserStatus>>;
};

/** Who is asking. */
export type Viewer = {
  __typename?: 'Viewer';
  /** When the token that was sent ends. */
  expiresAt: Scalars['Timestamp']['output'];
  /** What a client's cache knows the viewer by; not the user's id, and not to be looked up. */
  id: Scalars['ID']['output'];
  /** What kind of caller it is. */
  kind: ViewerKind;
  /** Every right that the viewer has, as `Module.Access`, sorted. */
  rights: Array<Scalars['String']['output']>;
  /** The user's role; null for the platform. */
  role?: Maybe<Role>;
  /** The tenant whose data this request sees; null for the platform while it names none. */
  tenant?: Maybe<Tenant>;
  /** The user; null for the platform. */
  user?: Maybe<User>;
};

/** What kind of caller is asking. */
export enum ViewerKind {
  /** The operator of this server, by a service token. */
  Platform = 'PLATFORM',
  /** A person, signed in at the identity provider. */
  User = 'USER'
}
