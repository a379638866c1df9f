"""The graphql-transport-ws protocol, apart from its input and output."""
