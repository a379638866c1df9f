'use strict';

// How GraphiQL asks: queries and mutations over HTTP, subscriptions over the websocket, with the same headers.

(() => {
  const CANONICAL = { authorization: 'Authorization', 'x-tenant-id': 'X-Tenant-Id' };
  const BARE_TOKEN = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

  // The headers by their canonical names, whatever spelling they have in the editor; of two spellings the last.
  function canonical(headers = {}) {
    const found = {};
    for (const [name, value] of Object.entries(headers)) {
      const key = name.trim().toLowerCase();
      const text = String(value).trim();
      found[CANONICAL[key] ?? key] = BARE_TOKEN.test(text) && key === 'authorization' ? `Bearer ${text}` : text;
    }
    return found;
  }

  async function overHttp(address, request, headers) {
    const response = await fetch(address, {
      method: 'POST',
      headers: {
        Accept: 'application/graphql-response+json, application/json;q=0.9',
        ...headers,
        'Content-Type': 'application/json',
      },
      body: JSON.stringify(request),
    });
    return response.json();
  }

  function overSocket(address, request, headers) {
    const url = new URL(address, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const client = graphqlWs.createClient({ url: url.href, connectionParams: headers, retryAttempts: 0 });
    return disposing(client, client.iterate(request));
  }

  // One socket for each subscription: it ends with it, and a changed token takes effect with the next.
  async function* disposing(client, results) {
    try {
      yield* results;
    } finally {
      await client.dispose();
    }
  }

  function isSubscription(syntax, name) {
    const operations = (syntax?.definitions ?? []).filter(({ kind }) => kind === 'OperationDefinition');
    const chosen = operations.find((each) => each.name?.value === name) ?? operations[0];
    return chosen?.operation === 'subscription';
  }

  function createFetcher(address) {
    return (request, { headers, documentAST } = {}) => {
      const ask = isSubscription(documentAST, request.operationName) ? overSocket : overHttp;
      return ask(address, request, canonical(headers));
    };
  }

  window.createFetcher = createFetcher;
})();
