// relay-runtime with the compiler's artifact over graphql-ws: `node live-relay.mjs URL TOKEN SITE`.

import relay from 'relay-runtime';
import liveRelayDocuments from './liveRelayDocuments.js';
import { SITE_ID, failed, socket, told } from './live.mjs';

const { Environment, Network, Observable, RecordSource, Store, requestSubscription } = relay;
const { siteSubscription } = liveRelayDocuments;
const wire = socket();

const subscribe = ({ name, text }, variables) =>
  Observable.create((sink) => wire.subscribe({ operationName: name, query: text, variables }, sink));
const network = Network.create(() => failed('nothing is fetched'), subscribe);
const environment = new Environment({ network, store: new Store(new RecordSource()) });
const following = requestSubscription(environment, {
  subscription: siteSubscription,
  variables: { id: SITE_ID },
  onNext: (data) => told(data, () => setTimeout(end)),
  onError: failed,
});

function end() {
  const { name } = environment.getStore().getSource().get(SITE_ID);
  process.stdout.write(`${JSON.stringify({ cached: name })}\n`);
  following.dispose();
  wire.dispose();
}
