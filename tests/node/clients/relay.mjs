// relay-runtime with the compiler's artifacts against a server: `node relay.mjs URL TOKEN`; one JSON line says what
// it saw.

import relay from 'relay-runtime';
import {
  ACTIVE, BAD_CURSOR, BAD_VARIABLE, FIRST_PAGE, PAGE, RENAMED, TOKEN, URL, namesOf, say, shown,
} from './documents.mjs';
import relayDocuments from './relayDocuments.js';

const { sitesFragment, sitesQuery, siteQuery, billsQuery } = relayDocuments;
const {
  Environment, Network, RecordSource, Store, createOperationDescriptor, fetchQuery, getPaginationMetadata,
  getPaginationVariables, getSingularSelector,
} = relay;

/** An environment and the answers that its network layer has seen. */
function environmentWith(token) {
  const answers = [];
  const network = Network.create(async ({ text }, variables) => {
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` };
    const response = await fetch(URL, { method: 'POST', headers, body: JSON.stringify({ query: text, variables }) });
    answers.push(await response.json());
    return answers.at(-1);
  });
  return { answers, environment: new Environment({ network, store: new Store(new RecordSource()) }) };
}

async function refused(token, query, variables) {
  const { answers, environment } = environmentWith(token);
  const error = await fetchQuery(environment, query, variables).toPromise().then(() => null, (reason) => reason);
  const { data, errors } = answers.at(-1);
  // Relay throws only if there is no data. The error of a null field is in the answer.
  if (!data && error?.name !== 'RelayNetwork') throw new Error('not refused by the network', { cause: error });
  return shown(errors);
}

/** The list as a component's fragment sees it in the store now. */
function inStore(environment, variables) {
  const operation = createOperationDescriptor(sitesQuery, variables);
  const owner = environment.lookup(operation.fragment);
  const selector = getSingularSelector(sitesFragment, owner.data);
  return { selector, data: environment.lookup(selector).data };
}

/** What `loadNext` of a pagination component does: the store's connection grows. */
async function loadNext(environment, { selector, data }) {
  const { paginationRequest, paginationMetadata } = getPaginationMetadata(sitesFragment, 'relayDocuments_sites');
  const { variables } = selector.owner;
  const more = getPaginationVariables(
    'forward', PAGE, data.sites.pageInfo.endCursor, variables, { where: ACTIVE }, paginationMetadata,
  );
  await fetchQuery(environment, paginationRequest, more).toPromise();
}

/** A row that a list has brought is one record of the store: the list sees it change. */
async function normalised({ id }) {
  const nameInList = () => inStore(environment, FIRST_PAGE).data.sites.edges[0].node.name;
  environment.commitUpdate((store) => store.get(id).setValue(RENAMED, 'name'));
  const renamed = nameInList();
  await fetchQuery(environment, siteQuery, { id }).toPromise();
  const { __typename } = environment.getStore().getSource().get(id);
  return { key: `${__typename}:${id}`, renamed: [renamed], refetched: nameInList() };
}

const { answers, environment } = environmentWith(TOKEN);
await fetchQuery(environment, sitesQuery, FIRST_PAGE).toPromise();
const first = inStore(environment, FIRST_PAGE);
await loadNext(environment, first);
const joined = inStore(environment, FIRST_PAGE);

const viewer = await fetchQuery(environment, billsQuery, {}).toPromise();
const partial = answers.at(-1);

say({
  first: namesOf(first.data),
  joined: namesOf(joined.data),
  total: joined.data.sites.totalCount,
  partial: { errors: shown(partial.errors), viewer: viewer.viewer },
  cursor: await refused(TOKEN, sitesQuery, BAD_CURSOR),
  variable: await refused(TOKEN, sitesQuery, BAD_VARIABLE),
  token: await refused('nobody', billsQuery, {}),
  normalised: await normalised(first.data.sites.edges[0].node),
});
