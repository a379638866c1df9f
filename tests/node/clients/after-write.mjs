// The client of docs/own-writes.md: `node after-write.mjs MODULE URL TOKEN SITE OTHER`.
// Prints a line for each write: what was on the screen when it had caught up, and how many messages came.

import WebSocket from 'ws';

const [client_module, url, token, site, other] = process.argv.slice(2);
const { live } = await import(client_module);
const headers = { Authorization: `Bearer ${token}` };
const { client, caughtUp } = live({
  url: url.replace(/^http/, 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: headers,
});

let screen;
let messages = 0;
const first = new Promise((resolve) => {
  const next = ({ data }) => {
    screen = data.site.name;
    messages += 1;
    resolve();
  };
  const query = 'subscription ($id: ID!) { site(id: $id) { name } }';
  client.subscribe({ query, variables: { id: site } }, { next, error: console.error, complete() {} });
});

async function rename(id, name) {
  const query = 'mutation ($id: ID!, $name: String!) { updateSite(id: $id, input: {name: $name}) { id } }';
  const body = JSON.stringify({ query, variables: { id, name } });
  const answer = await fetch(url, {
    method: 'POST',
    body,
    headers: { ...headers, 'Content-Type': 'application/json' },
  });
  const seen = await caughtUp((await answer.json()).extensions.transaction);
  process.stdout.write(`${JSON.stringify({ name, screen, messages, seen })}\n`);
}

await first;
for (let number = 0; number < 10; number += 1) {
  await rename(site, `seen ${number}`);
  await rename(other, `unseen ${number}`);
}
await Promise.all([client.terminate(), rename(site, 'after a loss')]);
process.stdout.write(`${JSON.stringify({ seen: await caughtUp('of no server') })}\n`);
await client.dispose();
