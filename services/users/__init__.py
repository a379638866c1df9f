"""Users: sign-in, the cache of viewers, invitations."""
