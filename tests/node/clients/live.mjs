// What the live clients share: the query that they keep open, and how they report: a JSON line for each message.

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

export const [URL, TOKEN, SITE_ID] = process.argv.slice(2);

/** How many messages a client waits for: the answer now, and one after a change. */
export const MESSAGES = 2;

export const SITE_LIVE = `
  subscription SiteLive($id: ID!) {
    site(id: $id) { id name agents(first: 1) { totalCount } }
  }
`;

export const socket = () =>
  createClient({
    url: URL.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${TOKEN}` },
    retryAttempts: 0,
  });

/** Print what came; after the last one, end. */
export function told(data, end) {
  told.count = (told.count ?? 0) + 1;
  process.stdout.write(`${JSON.stringify(data)}\n`);
  if (told.count === MESSAGES) end();
}

export function failed(reason) {
  console.error(reason);
  process.exit(1);
}
