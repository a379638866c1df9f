"""Time as a source of changes: agents that go offline without a write."""
