"""HTTP: the application with its routes, and the server around it."""
