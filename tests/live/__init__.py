"""What the tests of the live layer share: a client of its socket, generated live queries, and writers."""
