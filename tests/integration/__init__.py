"""Tests against a real PostgreSQL, 18 and 15."""
