// Relay's live document; see relayDocuments.js.

function graphql([text]) {
  const [, name] = /subscription\s+(\w+)/.exec(text);
  return require(`../generated/relay/${name}.graphql.js`);
}

const siteSubscription = graphql`
  subscription liveRelayDocumentsSiteSubscription($id: ID!) {
    site(id: $id) { id name agents(first: 1) { totalCount } }
  }
`;

module.exports = { siteSubscription };
