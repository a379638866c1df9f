"""What operators see: the access log, Prometheus metrics, traces."""
