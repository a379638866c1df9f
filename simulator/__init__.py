"""A fleet of agents that are not there: programs in the field as a server sees them, over its HTTP API alone."""
