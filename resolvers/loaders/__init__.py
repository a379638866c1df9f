"""Resolvers of the schema's fields over data loaders: one SQL statement a level."""
