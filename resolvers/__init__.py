"""Execution: data access, the compiler, the data loaders, and the resolvers of all fields."""
