// Runs the audits of graphql-http against a server: `node audit.mjs URL [TOKEN]`; one JSON line for each on stdout.

import { serverAudits } from 'graphql-http';

const [url, token] = process.argv.slice(2);

function fetchAs(address, options = {}) {
  const headers = new Headers(options.headers);
  if (token) headers.set('Authorization', `Bearer ${token}`);
  return fetch(address, { ...options, headers });
}

for (const audit of serverAudits({ url, fetchFn: fetchAs })) {
  const { status, reason } = await audit.fn();
  process.stdout.write(`${JSON.stringify({ id: audit.id, name: audit.name, status, reason })}\n`);
}
