"""Tokens, keys, rights and the viewer: who sends a request, and what they may do."""
