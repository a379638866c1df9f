"""The commands of `server.py`, each with the objects that it needs."""
