// urql with its subscription exchange over graphql-ws: `node live-urql.mjs URL TOKEN SITE`.

import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { SITE_ID, SITE_LIVE, URL, failed, socket, told } from './live.mjs';

const wire = socket();
const forwardSubscription = ({ query, variables }) => ({
  subscribe: (sink) => ({ unsubscribe: wire.subscribe({ query, variables }, sink) }),
});
const client = new Client({ url: URL, exchanges: [fetchExchange, subscriptionExchange({ forwardSubscription })] });
const { unsubscribe } = client.subscription(SITE_LIVE, { id: SITE_ID }).subscribe(({ data, error }) => {
  if (error) failed(error);
  told(data, () => setTimeout(end));
});

function end() {
  unsubscribe();
  wire.dispose();
}
