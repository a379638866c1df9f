"""What was written: the change log, read by the difference of two snapshots."""
