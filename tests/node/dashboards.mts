// What a dashboard does with the generated client: compiled by `tsc --strict`, then run against a server as
// `node generated/built/dashboards.mjs URL TOKEN`; one JSON line says what it saw.

import { GraphQLClient } from 'graphql-request';
import {
  AgentsOfSitesNamedDocument, BillsDocument, CatalogueDocument, JobBoardDocument, MeDocument, NotWellDocument,
  SiteAgentsDocument, SitesPageDocument, SitesScrollDocument, UsersAtSiteDocument,
  type BillsQuery, type MeQuery, type NotWellQuery, type SiteFilter, type SitesPageQuery,
  type SitesScrollQuery, type SitesScrollQueryVariables,
} from './generated/client/graphql.js';

declare const process: { argv: string[]; stdout: { write(text: string): void } };

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Rows<Connection> = NonNullable<Connection> extends { nodes: Array<infer Row> } ? Row : never;

type Site = Rows<SitesPageQuery['sites']>;
type Bill = Rows<BillsQuery['tenantBills']>;
type Resource = NonNullable<Rows<NotWellQuery['healthChecks']>['resource']>;

/** The scalars are what they are in JSON, relations can be null, unions tell their members apart: or this fails. */
const types: [
  Same<Site['id'], string>,
  Same<Site['updatedAt'], number>,
  Same<Site['metadata'], unknown>,
  Same<Bill['total'], string>,
  Same<Bill['paidAt'], number | null>,
  Same<null extends MeQuery['viewer'] ? true : false, true>,
  Same<null extends SitesPageQuery['sites'] ? true : false, true>,
  Same<Resource['__typename'], 'Agent' | 'DataSource' | 'Integration' | 'ScheduledJob' | 'Site'>,
] = [true, true, true, true, true, true, true, true];

const [, , url = '', token = ''] = process.argv;
const client = new GraphQLClient(url, { headers: { Authorization: `Bearer ${token}` } });

/** A list of the response. It is null if the viewer may not read it. */
function readable<T>(list: T | null | undefined): T {
  if (!list) throw new Error('The viewer may not read this list');
  return list;
}

async function sitesPage(page: number, search: string | null = null) {
  const where: SiteFilter = { status: { in: ['ACTIVE', 'INACTIVE'] }, not: { name: { startsWith: 'zz' } } };
  const data = await client.request(SitesPageDocument, {
    size: 4, skipped: 4 * (page - 1), search, where, orderBy: [{ field: 'NAME', direction: 'DESC' }, { field: 'SLUG' }],
  });
  const sites = readable(data.sites);
  return { total: sites.totalCount, names: sites.nodes.map(({ name }) => name) };
}

async function sitesScroll() {
  const names: string[] = [];
  let after: string | null = null;
  do {
    const variables: SitesScrollQueryVariables = { first: 25, after, status: 'ACTIVE' };
    const data: SitesScrollQuery = await client.request(SitesScrollDocument, variables);
    const sites = readable(data.sites);
    names.push(...sites.edges.map(({ node }) => node.name));
    after = sites.pageInfo.hasNextPage ? sites.pageInfo.endCursor : null;
  } while (after !== null);
  return names;
}

async function siteAgents() {
  const agents = readable((await client.request(AgentsOfSitesNamedDocument, { name: 'er' })).agents);
  const siteId = agents.nodes[0]?.site?.id ?? '';
  const { site } = await client.request(SiteAgentsDocument, {
    siteId, recent: Date.now() - 3_600_000, orderBy: [{ field: 'HOSTNAME' }],
  });
  return {
    sites: agents.nodes.map((agent) => agent.site?.name ?? null),
    total: site?.agents?.totalCount ?? null,
    online: site?.online?.totalCount ?? null,
    hosts: site?.agents?.nodes.map(({ hostname }) => hostname) ?? [],
  };
}

async function jobBoard() {
  const board = await client.request(JobBoardDocument, { action: 'sync.endpoints' });
  const [pending, running, failed, all] = [board.pending, board.running, board.failed, board.all].map(
    (list) => readable(list).totalCount,
  );
  return { dataSources: readable(board.dataSources).nodes.length, pending, running, failed, all };
}

async function catalogue() {
  const integrations = readable((await client.request(CatalogueDocument)).integrations);
  return integrations.nodes.map(({ name, dataSources }) => ({ name, enabled: (dataSources?.totalCount ?? 0) > 0 }));
}

async function me() {
  const { viewer } = await client.request(MeDocument);
  const metadata = viewer?.user?.metadata;
  const current = typeof metadata === 'object' && metadata && 'current_site' in metadata ? metadata.current_site : null;
  const { users } = await client.request(UsersAtSiteDocument, { siteId: current });
  return { tenant: viewer?.tenant?.name, current, there: readable(users).nodes.map(({ id }) => id), id: viewer?.user?.id };
}

async function bills() {
  const { tenantBills } = await client.request(BillsDocument, { since: 0, least: '0.01' });
  return readable(tenantBills).nodes.map(({ total }) => total);
}

async function notWell() {
  const { healthChecks } = await client.request(NotWellDocument, { statuses: ['DEGRADED', 'DOWN'] });
  return readable(healthChecks).nodes.map(({ resource }) => {
    switch (resource?.__typename) {
      case 'Agent': return resource.hostname;
      case 'Site': case 'Integration': return resource.name;
      case 'DataSource': return resource.externalId;
      case 'ScheduledJob': return resource.action;
      default: return null;
    }
  });
}

const report = {
  typed: types.every(Boolean),
  firstPage: await sitesPage(1),
  secondPage: await sitesPage(2),
  found: await sitesPage(1, 'veterinary'),
  scroll: await sitesScroll(),
  agents: await siteAgents(),
  jobs: await jobBoard(),
  catalogue: await catalogue(),
  me: await me(),
  bills: await bills(),
  notWell: await notWell(),
};
process.stdout.write(`${JSON.stringify(report)}\n`);
