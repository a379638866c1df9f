"""Tortoise's configuration: the models, and a connection for any DSN that asyncpg accepts.

Tortoise parses a DSN itself, and supports neither Unix sockets nor most parameters of libpq. So the DSN goes to
asyncpg unchanged. Tortoise names an engine by a module with a `client_class`, such as this module.
"""

import os
from typing import Any, Final

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient

from core.database.connecting import connect
from core.limits import LONG_STATEMENT_S

DEFAULT_DSN: Final = "postgresql:///msp"
"""The default of the aerich command line without DATABASE_URL: the local server, found by libpq's rules."""


class DsnClient(AsyncpgDBClient):
    """A Tortoise connection with a DSN as its only credential."""

    async def create_pool(self, **options: Any) -> asyncpg.Pool:
        """Create a pool on the DSN, which alone determines the server."""
        dsn = options.pop("dsn")
        cached = options.pop("statement_cache_size")
        for name in ("host", "port", "user", "password", "database"):
            options.pop(name)

        async def open_connection(*_arguments: Any, **_options: Any) -> asyncpg.Connection:
            return await connect(dsn, statement_cache_size=cached, statement_s=LONG_STATEMENT_S)

        return await asyncpg.create_pool(connect=open_connection, **options)


client_class = DsnClient


def build_tortoise_config(dsn: str) -> dict[str, Any]:
    """The configuration for Tortoise and aerich: one connection, and one app with our models and aerich's.

    Args:
        dsn: `postgresql://...` in any form that asyncpg accepts, Unix sockets included.
    """
    credentials = {"dsn": dsn, "minsize": 1, "maxsize": 2, "statement_cache_size": 0}
    return {
        "connections": {"default": {"engine": "core.database.orm", "credentials": credentials}},
        "apps": {"models": {"models": ["models", "aerich.models"], "default_connection": "default"}},
    }


TORTOISE = build_tortoise_config(os.environ.get("DATABASE_URL", DEFAULT_DSN))
"""The configuration of the aerich command line, which reads this name from pyproject.toml."""
