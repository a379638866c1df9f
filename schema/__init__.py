"""The API for clients: types, filters and orders of the 21 tables, and the GraphQL schema built from them."""
