"""A fleet of simulated agents, over the server's HTTP API alone."""
