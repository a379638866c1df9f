"""The limits of a request: size and depth of its document, its cost, its variables, what errors may show."""
