"""What keeps answers true: groups, ticks, runs, and the viewers behind the sockets."""
