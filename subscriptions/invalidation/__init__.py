"""Which live queries a change touches: read sets, and the index that finds them."""
