// Relay's documents. relay-compiler reads them here (it wants a CommonJS `.js` and names that begin with the file's);
// what Babel's plugin does in an application, putting the artifacts in their places, `graphql` does.

function graphql([text]) {
  const [, name] = /(?:query|fragment)\s+(\w+)/.exec(text);
  return require(`../generated/relay/${name}.graphql.js`);
}

const sitesFragment = graphql`
  fragment relayDocuments_sites on Query
  @refetchable(queryName: "relayDocumentsNextSitesQuery")
  @argumentDefinitions(first: { type: "Int" }, after: { type: "String" }, where: { type: "SiteFilter" }) {
    sites(first: $first, after: $after, where: $where, orderBy: [{ field: NAME }])
      @connection(key: "relayDocuments_sites", filters: ["where", "orderBy"]) {
      totalCount
      edges { node { id name status } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;
const sitesQuery = graphql`
  query relayDocumentsSitesQuery($first: Int, $after: String, $where: SiteFilter) {
    ...relayDocuments_sites @arguments(first: $first, after: $after, where: $where)
  }
`;
const siteQuery = graphql`
  query relayDocumentsSiteQuery($id: ID!) {
    site(id: $id) { id name status slug }
  }
`;
const billsQuery = graphql`
  query relayDocumentsBillsQuery {
    viewer { id kind user { id name } tenant { id name bills(first: 1) { nodes { id } } } }
  }
`;

module.exports = { sitesFragment, sitesQuery, siteQuery, billsQuery };
