"""What is deleted once a day: purged data sources and expired logs."""
