"""PostgreSQL: the pool, snapshots, transactions, the request role, Tortoise's configuration."""
