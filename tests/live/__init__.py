"""Shared parts of the live layer's tests: a client of its socket, generated live queries, and writers."""
