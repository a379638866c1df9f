"""What `server.py` can be asked to do, each with all that it takes put together."""
