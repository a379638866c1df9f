// Apollo Client 4 against a server: `node apollo.mjs URL TOKEN`; one JSON line says what it saw.

import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { CombinedGraphQLErrors, ServerError } from '@apollo/client/errors';
import { SetContextLink } from '@apollo/client/link/context';
import { relayStylePagination } from '@apollo/client/utilities';
import { filter, firstValueFrom } from 'rxjs';
import {
  BAD_CURSOR, BAD_VARIABLE, BILLS, FIRST_PAGE, PAGE, RENAMED, SITE, SITES, TOKEN, URL, following, namesOf, say, shown,
} from './documents.mjs';

const [sites, site, bills] = [SITES, SITE, BILLS].map((text) => gql(text));

function clientWith(token) {
  const signed = new SetContextLink(({ headers }) => ({
    headers: { ...headers, Authorization: `Bearer ${token}` },
  }));
  const readSite = (_, { args, toReference }) => toReference({ __typename: 'Site', id: args.id });
  return new ApolloClient({
    link: signed.concat(new HttpLink({ uri: URL })),
    cache: new InMemoryCache({
      typePolicies: { Query: { fields: { sites: relayStylePagination(['where', 'orderBy']), site: readSite } } },
    }),
  });
}

async function refused(asking, kind = CombinedGraphQLErrors) {
  const error = await asking.then(() => null, (reason) => reason);
  if (!kind.is(error)) throw new Error(`no ${kind.name}`, { cause: error });
  return shown(kind === ServerError ? JSON.parse(error.bodyText).errors : error.errors);
}

/** Two pages by `fetchMore`, as a list component does it: the cache joins them. */
async function twoPages(client) {
  const watched = client.watchQuery({ query: sites, variables: FIRST_PAGE });
  const component = watched.subscribe(() => {});
  const complete = watched.pipe(filter(({ dataState }) => dataState === 'complete'));
  const { data: first } = await firstValueFrom(complete);
  const grown = firstValueFrom(complete.pipe(filter(({ data }) => data.sites.edges.length > PAGE)));
  const { data: second } = await watched.fetchMore({ variables: following(first) });
  const { data: joined } = await grown;
  component.unsubscribe();
  return { first, second, joined };
}

/** A row that a list has brought is one row of the cache: another query finds it and sees it change. */
async function normalised(client, { id }) {
  const key = client.cache.identify({ __typename: 'Site', id });
  client.cache.writeFragment({ id: key, fragment: gql`fragment Name on Site { name }`, data: { name: RENAMED } });
  const inList = client.readQuery({ query: sites, variables: FIRST_PAGE }).sites.edges[0].node.name;
  const known = gql`query Known($id: ID!) { site(id: $id) { id name status } }`;
  const { data } = await client.query({ query: known, variables: { id }, fetchPolicy: 'cache-only' });
  const { data: fresh } = await client.query({ query: site, variables: { id } });
  return { key, renamed: [inList, data.site.name], refetched: fresh.site.name };
}

const client = clientWith(TOKEN);
const { first, second, joined } = await twoPages(client);
const partial = await client.query({ query: bills, errorPolicy: 'all', fetchPolicy: 'no-cache' });

say({
  first: namesOf(first),
  second: namesOf(second),
  joined: namesOf(joined),
  total: first.sites.totalCount,
  partial: { errors: shown(partial.error.errors), viewer: partial.data.viewer },
  strict: await refused(client.query({ query: bills })),
  cursor: await refused(clientWith(TOKEN).query({ query: sites, variables: BAD_CURSOR })),
  variable: await refused(clientWith(TOKEN).query({ query: sites, variables: BAD_VARIABLE })),
  token: await refused(clientWith('nobody').query({ query: bills })),
  normalised: await normalised(client, first.sites.edges[0].node),
});
client.stop();
