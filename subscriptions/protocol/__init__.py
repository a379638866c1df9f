"""graphql-transport-ws without input or output: messages and the state of a connection."""
