"""Measures the figures in README against a baseline and a peer in one run: `make bench`."""
