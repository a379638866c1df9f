"""What the product ships to every database: the catalog of integrations, and the global roles."""
