"""The live layer: the changes of the database, the live queries that they match, and the event streams."""
