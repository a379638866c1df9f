// The documents that every client sends, and what each reports of the answers.

export const SITES = `
  query Sites($first: Int, $after: String, $where: SiteFilter) {
    sites(first: $first, after: $after, where: $where, orderBy: [{ field: NAME }]) {
      totalCount
      edges { cursor node { id name status } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;

export const SITE = `
  query Site($id: ID!) {
    site(id: $id) { id name status slug }
  }
`;

export const BILLS = `
  query Bills {
    viewer { id kind user { id name } tenant { id name bills(first: 1) { nodes { id } } } }
  }
`;

export const ACTIVE = { status: { eq: 'ACTIVE' } };
export const PAGE = 3;
export const FIRST_PAGE = { first: PAGE, where: ACTIVE };
export const RENAMED = 'Renamed in the cache';
export const BAD_CURSOR = { ...FIRST_PAGE, after: 'no cursor' };
export const BAD_VARIABLE = { first: 'three' };

export const namesOf = (data) => data.sites.edges.map(({ node }) => node.name);
export const following = (data) => ({ ...FIRST_PAGE, after: data.sites.pageInfo.endCursor });

/** What a user sees of GraphQL errors: code and path of each. */
export const shown = (errors) =>
  errors.map(({ extensions, path }) => ({ code: extensions?.code ?? null, path: path ?? null }));

// Caches warn on the console where an answer does not fit them.
const warnings = [];
console.warn = console.error = (...words) => warnings.push(words.join(' '));

export const say = (report) => process.stdout.write(`${JSON.stringify({ ...report, warnings })}\n`);
export const [URL, TOKEN] = process.argv.slice(2);
