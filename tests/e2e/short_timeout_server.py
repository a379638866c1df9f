"""The server with connection limits from CONNECTION_LIMITS (JSON), so that tests of timeouts are fast."""

import json
import os
import sys
from functools import partial

import server
from api.connection_limits import ConnectionLimits
from commands import serve

if __name__ == "__main__":
    limits = ConnectionLimits(**json.loads(os.environ["CONNECTION_LIMITS"]))
    setattr(serve, "serve", partial(serve.serve, limits=limits))  # noqa: B010 - mypy then sees that this is intended
    sys.exit(server.main())
