"""Backups by PostgreSQL's own programs, with the right options for each mode of row-level security, and verified."""
