"use strict";
var __createBinding = (this && this.__createBinding) || (Object.create ? (function(o, m, k, k2) {
    if (k2 === undefined) k2 = k;
    var desc = Object.getOwnPropertyDescriptor(m, k);
    if (!desc || ("get" in desc ? !m.__esModule : desc.writable || desc.configurable)) {
      desc = { enumerable: true, get: function() { return m[k]; } };
    }
    Object.defineProperty(o, k2, desc);
}) : (function(o, m, k, k2) {
    if (k2 === undefined) k2 = k;
    o[k2] = m[k];
}));
var __setModuleDefault = (this && this.__setModuleDefault) || (Object.create ? (function(o, v) {
    Object.defineProperty(o, "default", { enumerable: true, value: v });
}) : function(o, v) {
    o["default"] = v;
});
var __importStar = (this && this.__importStar) || (function () {
    var ownKeys = function(o) {
        ownKeys = Object.getOwnPropertyNames || function (o) {
            var ar = [];
            for (var k in o) if (Object.prototype.hasOwnProperty.call(o, k)) ar[ar.length] = k;
            return ar;
        };
        return ownKeys(o);
    };
    return function (mod) {
        if (mod && mod.__esModule) return mod;
        var result = {};
        if (mod != null) for (var k = ownKeys(mod), i = 0; i < k.length; i++) if (k[i] !== "default") __createBinding(result, mod, k[i]);
        __setModuleDefault(result, mod);
        return result;
    };
})();
Object.defineProperty(exports, "__esModule", { value: true });
exports.graphql = graphql;
/* eslint-disable */
const types = __importStar(require("./graphql"));
const documents = {
    "query SiteAgents($siteId: ID!, $orderBy: [AgentOrder!], $recent: Timestamp!) {\n  site(id: $siteId) {\n    id\n    name\n    agents(first: 100, orderBy: $orderBy) {\n      totalCount\n      nodes {\n        id\n        hostname\n        version\n        ipAddress\n        lastCheckinAt\n        healthCheck {\n          id\n          status\n        }\n      }\n    }\n    online: agents(first: 1, where: {lastCheckinAt: {gte: $recent}}) {\n      totalCount\n    }\n  }\n}\n\nquery AgentsOfSitesNamed($name: String!) {\n  agents(\n    first: 20\n    where: {site: {name: {contains: $name}}, or: [{platform: {eq: \"windows\"}}, {version: {startsWith: \"2\"}}]}\n    orderBy: [{field: LAST_CHECKIN_AT, direction: DESC, nulls: LAST}, {field: HOSTNAME}]\n  ) {\n    totalCount\n    nodes {\n      id\n      hostname\n      site {\n        id\n        name\n      }\n    }\n  }\n}": types.SiteAgentsDocument,
    "query Bills($since: Timestamp!, $least: Decimal!) {\n  tenantBills(\n    where: {periodStart: {gte: $since}, total: {gte: $least}}\n    orderBy: [{field: PERIOD_START, direction: DESC}]\n  ) {\n    nodes {\n      id\n      status\n      total\n      periodStart\n      paidAt\n      lineItems(first: 5) {\n        nodes {\n          id\n          integration {\n            id\n            name\n          }\n        }\n      }\n    }\n  }\n}": types.BillsDocument,
    "query Catalogue {\n  integrations(\n    where: {isActive: {eq: true}}\n    orderBy: [{field: CATEGORY}, {field: NAME}]\n  ) {\n    nodes {\n      id\n      name\n      category\n      supportedTypes\n      configSchema\n      dataSources(first: 1, where: {siteId: {isNull: true}}) {\n        totalCount\n        nodes {\n          id\n          status\n          lastSyncAt\n        }\n      }\n    }\n  }\n}": types.CatalogueDocument,
    "query NotWell($statuses: [HealthStatus!]!) {\n  healthChecks(\n    where: {status: {in: $statuses}}\n    orderBy: [{field: LAST_CHECK_AT, direction: DESC}]\n  ) {\n    nodes {\n      id\n      status\n      errorMessage\n      resource {\n        __typename\n        ... on Agent {\n          id\n          hostname\n        }\n        ... on Site {\n          id\n          name\n        }\n        ... on DataSource {\n          id\n          externalId\n        }\n        ... on ScheduledJob {\n          id\n          action\n        }\n        ... on Integration {\n          id\n          name\n        }\n      }\n    }\n  }\n}": types.NotWellDocument,
    "query JobBoard($action: String!) {\n  dataSources(first: 20) {\n    nodes {\n      id\n      status\n      integration {\n        id\n        name\n      }\n      newest: scheduledJobs(\n        first: 1\n        where: {action: {eq: $action}}\n        orderBy: [{field: SCHEDULED_AT, direction: DESC}]\n      ) {\n        nodes {\n          id\n          status\n          error\n          attempts\n          scheduledAt\n          payload\n        }\n      }\n    }\n  }\n  pending: scheduledJobs(first: 1, where: {status: {eq: PENDING}}) {\n    totalCount\n  }\n  running: scheduledJobs(first: 1, where: {status: {eq: RUNNING}}) {\n    totalCount\n  }\n  failed: scheduledJobs(first: 1, where: {status: {eq: FAILED}}) {\n    totalCount\n  }\n  all: scheduledJobs(first: 1) {\n    totalCount\n  }\n}": types.JobBoardDocument,
    "query Me {\n  viewer {\n    id\n    kind\n    rights\n    expiresAt\n    user {\n      id\n      name\n      metadata\n    }\n    tenant {\n      id\n      name\n    }\n    role {\n      id\n      name\n    }\n  }\n}\n\nquery UsersAtSite($siteId: JSON!) {\n  users(\n    where: {metadata: {at: [{path: [\"current_site\"], eq: $siteId}]}}\n    orderBy: [{field: NAME}]\n  ) {\n    totalCount\n    nodes {\n      id\n      email\n      role {\n        id\n        name\n      }\n    }\n  }\n}": types.MeDocument,
    "fragment SiteRow on Site {\n  id\n  name\n  slug\n  status\n  metadata\n  updatedAt\n  psaIntegration {\n    id\n    name\n  }\n  agents(first: 1) {\n    totalCount\n  }\n}\n\nquery SitesPage($size: Int!, $skipped: Int!, $search: String, $where: SiteFilter, $orderBy: [SiteOrder!]) {\n  sites(\n    first: $size\n    offset: $skipped\n    search: $search\n    where: $where\n    orderBy: $orderBy\n  ) {\n    totalCount\n    nodes {\n      ...SiteRow\n    }\n  }\n}\n\nquery SitesScroll($first: Int!, $after: String, $status: SiteStatus!) {\n  sites(\n    first: $first\n    after: $after\n    where: {status: {eq: $status}}\n    orderBy: [{field: NAME}]\n  ) {\n    edges {\n      cursor\n      node {\n        ...SiteRow\n      }\n    }\n    pageInfo {\n      hasNextPage\n      endCursor\n    }\n  }\n}": types.SiteRowFragmentDoc,
};
function graphql(source) {
    return documents[source] ?? {};
}
