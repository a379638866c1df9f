"""The embedded PostgreSQL: its cluster, its processes, its life."""
