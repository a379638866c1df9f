"""What README claims, measured against a floor and a peer in one run: `make bench`."""
