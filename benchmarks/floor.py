"""The baseline: a bare Starlette route that answers each query with one hand-written statement."""

import os
import sys

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.read_cases import CASES


class FloorServer:
    """Runs the statement of the case in the path."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: asyncpg.Pool | None = None

    async def respond(self, request: Request) -> Response:
        """The case's JSON, unchanged from PostgreSQL."""
        if self._pool is None:
            self._pool = await asyncpg.create_pool(self._dsn, min_size=10, max_size=10)
        case = CASES[request.path_params["case"]]
        await request.body()
        text = await self._pool.fetchval(
            case.floor_sql, request.headers["x-tenant"], request.headers["x-site"]
        )
        return Response(text, media_type="application/json")


def main() -> None:
    """Serve on the given port, over the database of DATABASE_URL."""
    floor = FloorServer(os.environ["DATABASE_URL"])
    app = Starlette(routes=[Route("/{case:int}", floor.respond, methods=["POST"])])
    uvicorn.run(
        app, port=int(sys.argv[1]), http="httptools", loop="uvloop", access_log=False, log_level="error"
    )


if __name__ == "__main__":
    main()
