"""Event streams: what happened, in order, with cursors that resume."""
