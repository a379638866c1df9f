"""The HTTP API of agents, under /v1.0: enrollment and check-ins."""
