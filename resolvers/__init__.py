"""How the schema is answered: the one door to rows, the data loaders, and what binds them to fields."""
