/**
 * @generated SignedSource<<2df8cdd4837b7dec11e271c2234e5023>>
 * @lightSyntaxTransform
 */

/* eslint-disable */

'use strict';

var node = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "id"
  }
],
v1 = [
  {
    "alias": null,
    "args": [
      {
        "kind": "Variable",
        "name": "id",
        "variableName": "id"
      }
    ],
    "concreteType": "Site",
    "kind": "LinkedField",
    "name": "site",
    "plural": false,
    "selections": [
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "id",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "name",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "status",
        "storageKey": null
      },
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "slug",
        "storageKey": null
      }
    ],
    "storageKey": null
  }
];
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "relayDocumentsSiteQuery",
    "selections": (v1/*:: as any*/),
    "type": "Query",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "relayDocumentsSiteQuery",
    "selections": (v1/*:: as any*/)
  },
  "params": {
    "cacheID": "7186e08341674710c427da6bd331ba3c",
    "id": null,
    "metadata": {},
    "name": "relayDocumentsSiteQuery",
    "operationKind": "query",
    "text": "query relayDocumentsSiteQuery(\n  $id: ID!\n) {\n  site(id: $id) {\n    id\n    name\n    status\n    slug\n  }\n}\n"
  }
};
})();

node.hash = "020b1bb10e2ba867c1e0f2eb2a1a0a2f";

module.exports = node;
