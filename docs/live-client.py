"""Prints each answer of a live query: python live-client.py URL TOKEN QUERY [COUNT]. Needs the package websockets."""

import json
import sys

from websockets.sync.client import connect


def main(url, token, query, count="0"):
    address = url.replace("http", "ws", 1) + "/graphql"
    with connect(address, subprotocols=["graphql-transport-ws"]) as socket:
        init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
        socket.send(json.dumps(init))
        socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
        printed = 0
        for text in socket:
            message = json.loads(text)
            if message["type"] == "ping":
                socket.send(json.dumps({"type": "pong"}))
            elif message["type"] == "next":
                print(json.dumps(message["payload"]), flush=True)
                printed += 1
            elif message["type"] == "error":
                sys.exit(json.dumps(message["payload"]))
            if printed == int(count) != 0:
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
