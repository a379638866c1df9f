"""Every query live: what changed, whom it touches, and the sockets that are told."""
