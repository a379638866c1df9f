"""The users behind open connections: signed in together, watched, and read again when they change."""
