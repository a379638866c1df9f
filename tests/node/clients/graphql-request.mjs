// graphql-request against a server: `node graphql-request.mjs URL TOKEN`; one JSON line says what it saw.

import { ClientError, GraphQLClient } from 'graphql-request';
import {
  BAD_CURSOR, BAD_VARIABLE, BILLS, FIRST_PAGE, SITES, TOKEN, URL, following, namesOf, say, shown,
} from './documents.mjs';

const headers = { Authorization: `Bearer ${TOKEN}` };
const client = new GraphQLClient(URL, { headers });
const tolerant = new GraphQLClient(URL, { headers, errorPolicy: 'all' });
const anonymous = new GraphQLClient(URL, { headers: { Authorization: 'Bearer nobody' } });

async function refused(asking) {
  const error = await asking.then(() => null, (reason) => reason);
  if (!(error instanceof ClientError)) throw new Error('no ClientError', { cause: error });
  return shown(error.response.errors);
}

const first = await client.request(SITES, FIRST_PAGE);
const second = await client.request(SITES, following(first));
const partial = await tolerant.rawRequest(BILLS);

say({
  first: namesOf(first),
  second: namesOf(second),
  total: first.sites.totalCount,
  partial: { errors: shown(partial.errors), viewer: partial.data.viewer },
  strict: await refused(client.request(BILLS)),
  cursor: await refused(client.request(SITES, BAD_CURSOR)),
  variable: await refused(client.request(SITES, BAD_VARIABLE)),
  token: await refused(anonymous.request(BILLS)),
});
