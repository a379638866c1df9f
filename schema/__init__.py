"""What a client may see: the 21 tables' types, filters and orders, and the GraphQL schema made of them."""
