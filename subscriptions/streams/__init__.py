"""What happened, told in order, with cursors that resume."""
