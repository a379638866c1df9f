// The rules that the SDL keeps. They are for the `schema.graphql` of the directory that ESLint is run in:
// `cd schema && ../tests/node/node_modules/.bin/eslint -c ../tests/node/eslint.config.mjs schema.graphql`.

import graphql from '@graphql-eslint/eslint-plugin';

/** Fields that the reference names so; no-typename-prefix takes no exceptions of its own. */
const NAMED_BY_THE_REFERENCE = new Map([
  ['dataSourceToSites', 'DataSource'], // the rows of data_source_to_site, not a part of a data source
  ['entityType', 'Entity'],
]);

const TOLD_BY_STREAMS = ['AgentCheckin', 'AgentCheckins', 'HealthCheckChange', 'HealthCheckChanges'];
const TOLD_BY_MUTATIONS = [
  'AcceptedInvitation',
  'EnrollmentTokenPayload',
  'InvitationCode',
  'RegisterAgentPayload',
  'UpsertPayload',
  'UpsertRejection',
];

const withoutNamesOfTheReference = {
  preprocess: (text) => [text],
  postprocess: (found) =>
    found.flat().filter(({ ruleId, message }) => {
      const [, field, type] = /^Field "(\w+)" starts with the name of the parent type "(\w+)"$/.exec(message) ?? [];
      return ruleId !== '@graphql-eslint/no-typename-prefix' || NAMED_BY_THE_REFERENCE.get(field) !== type;
    }),
};

const everyKind = {
  types: true,
  rootField: true,
  FieldDefinition: true,
  InputValueDefinition: true,
  EnumValueDefinition: true,
  DirectiveDefinition: true,
};

export default [
  {
    files: ['**/*.graphql'],
    processor: withoutNamesOfTheReference,
    plugins: { '@graphql-eslint': graphql },
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: './schema.graphql' } } },
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      '@graphql-eslint/require-description': ['error', everyKind],
      // Relay's own types for pages have no id by its specification; caches keep them within their parent. What
      // streams tell has none either, nor what comes of a mutation: it happened once, and no cache should keep it.
      '@graphql-eslint/strict-id-in-types': [
        'error',
        { exceptions: { types: ['PageInfo', ...TOLD_BY_STREAMS, ...TOLD_BY_MUTATIONS], suffixes: ['Connection', 'Edge'] } },
      ],
      // `nodes` stands beside `edges` for whoever needs no cursors, as on GitHub. There is no `node(id:)` and so no
      // `Node` interface: rows are looked up by the field of their own type, and Relay needs neither to page lists.
      '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false }],
    },
  },
];
