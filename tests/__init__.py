"""The tests: unit (no database), integration (real PostgreSQL), e2e (a real server process)."""
