// graphql-ws itself: `node live-graphql-ws.mjs URL TOKEN SITE`.

import { SITE_ID, SITE_LIVE, failed, socket, told } from './live.mjs';

const client = socket();
client.subscribe(
  { query: SITE_LIVE, variables: { id: SITE_ID } },
  { next: ({ data }) => told(data, () => client.dispose()), error: failed, complete: () => {} },
);
