"""A tenant's config of an integration: its schema, its validation, and the paths of its secrets."""
