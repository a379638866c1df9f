// Apollo Client 4 with its link over graphql-ws: `node live-apollo.mjs URL TOKEN SITE`.

import { ApolloClient, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { SITE_ID, SITE_LIVE, failed, socket, told } from './live.mjs';

const wire = socket();
const client = new ApolloClient({ link: new GraphQLWsLink(wire), cache: new InMemoryCache() });
const following = client.subscribe({ query: gql(SITE_LIVE), variables: { id: SITE_ID } }).subscribe({
  next: ({ data, error }) => (error ? failed(error) : told(data, end)),
  error: failed,
});

function end() {
  // The cache has it under its key: a component that shows this site is told as well.
  const { name } = client.cache.extract()[`Site:${SITE_ID}`];
  process.stdout.write(`${JSON.stringify({ cached: name })}\n`);
  following.unsubscribe();
  client.stop();
  wire.dispose();
}
