"""Background jobs: the queue, the runner and the actions that it runs."""
