"""HTTP and WebSocket: the application with its routes, and the server that runs it."""
