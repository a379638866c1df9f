"""A simulated fleet of agents that uses the server's HTTP API alone, as agents in the field do."""
