"""The secrets in the configs of data sources: sealed, opened, rotated."""
