"""What the product does, one verb a function."""
