"""The floor: a bare Starlette route that answers each question with one hand-written statement."""

import os
import sys

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.cases import CASES


class Floor:
    """Runs the statement of the case that the path names."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: asyncpg.Pool | None = None

    async def answer(self, request: Request) -> Response:
        """The case's JSON, as PostgreSQL gives it."""
        if self._pool is None:
            self._pool = await asyncpg.create_pool(self._dsn, min_size=10, max_size=10)
        case = CASES[request.path_params["case"]]
        await request.body()
        text = await self._pool.fetchval(case.floor, request.headers["x-tenant"], request.headers["x-site"])
        return Response(text, media_type="application/json")


def main() -> None:
    """Serve on the port that is given, over the database of DATABASE_URL."""
    floor = Floor(os.environ["DATABASE_URL"])
    app = Starlette(routes=[Route("/{case:int}", floor.answer, methods=["POST"])])
    uvicorn.run(
        app, port=int(sys.argv[1]), http="httptools", loop="uvloop", access_log=False, log_level="error"
    )


if __name__ == "__main__":
    main()
