"""Live queries: the poll loop, the shared queries, the worker pool, the refresh cycle."""
