"""What a tenant configures of an integration: its schema, what fits it, and where its secrets stand."""
