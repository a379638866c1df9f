"""The change log: what was written, read by the difference of two snapshots."""
