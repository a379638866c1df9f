"""The websocket of /graphql: handshake, connections, operations, what waits to be sent."""
