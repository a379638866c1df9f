// urql with its normalised cache against a server: `node urql.mjs URL TOKEN`; one JSON line says what it saw.

import { Client, fetchExchange, gql } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import {
  BAD_CURSOR, BAD_VARIABLE, BILLS, FIRST_PAGE, SITE, SITES, TOKEN, URL, following, namesOf, say, shown,
} from './documents.mjs';

const known = gql`query Known($id: ID!) { site(id: $id) { __typename id name status } }`;

function clientWith(token) {
  const site = (_, { id }) => ({ __typename: 'Site', id });
  return new Client({
    url: URL,
    preferGetMethod: false,
    fetchOptions: { headers: { Authorization: `Bearer ${token}` } },
    exchanges: [cacheExchange({ resolvers: { Query: { sites: relayPagination(), site } } }), fetchExchange],
  });
}

async function refused(asking) {
  const { error } = await asking;
  if (!error) throw new Error('no error');
  return shown(error.graphQLErrors);
}

const client = clientWith(TOKEN);
const ask = (text, variables = {}, options = {}) => client.query(text, variables, options).toPromise();

/** The first page from the network, the second one behind it: the cache joins them. */
async function twoPages() {
  const { data: first } = await ask(SITES, FIRST_PAGE);
  const { data: joined } = await ask(SITES, following(first));
  return { first, joined };
}

/** A row that a list has brought is one row of the cache: another query finds it without the network. */
async function normalised({ id }) {
  const { data: { site } } = await ask(known, { id }, { requestPolicy: 'cache-only' });
  const { data: fresh } = await ask(SITE, { id });
  return { key: `${site.__typename}:${site.id}`, found: site.name, refetched: fresh.site.name };
}

const { first, joined } = await twoPages();
const partial = await ask(BILLS);

say({
  first: namesOf(first),
  joined: namesOf(joined),
  total: first.sites.totalCount,
  partial: { errors: shown(partial.error.graphQLErrors), viewer: partial.data.viewer },
  cursor: await refused(clientWith(TOKEN).query(SITES, BAD_CURSOR)),
  variable: await refused(clientWith(TOKEN).query(SITES, BAD_VARIABLE)),
  token: await refused(clientWith('nobody').query(BILLS, {})),
  normalised: await normalised(first.sites.edges[0].node),
});
