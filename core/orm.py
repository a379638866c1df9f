"""Tortoise's configuration: the models, and a connection that takes any DSN that asyncpg takes.

Tortoise parses a DSN itself and knows neither Unix sockets nor most parameters of libpq, so the DSN goes
to asyncpg as it is. Tortoise names an engine by a module with a `client_class`: this module is one.
"""

import os
from typing import Any, Final

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient

DEFAULT_DSN: Final = "postgresql:///msp"
"""For the aerich command line without DATABASE_URL: the local server, found as libpq finds it."""


class DsnClient(AsyncpgDBClient):
    """A Tortoise connection whose one credential is a DSN."""

    async def create_pool(self, **options: Any) -> asyncpg.Pool:
        """A pool on the DSN; where to connect to is said by it alone."""
        dsn = options.pop("dsn")
        for part in ("host", "port", "user", "password", "database"):
            options.pop(part)
        return await asyncpg.create_pool(dsn, **options)


client_class = DsnClient


def tortoise_config(dsn: str) -> dict[str, Any]:
    """The configuration for Tortoise and aerich: one connection, one app with our models and aerich's.

    Args:
        dsn: `postgresql://...` in any form that asyncpg understands, Unix sockets included.
    """
    credentials = {"dsn": dsn, "minsize": 1, "maxsize": 2, "statement_cache_size": 0}
    return {
        "connections": {"default": {"engine": "core.orm", "credentials": credentials}},
        "apps": {"models": {"models": ["models", "aerich.models"], "default_connection": "default"}},
    }


TORTOISE = tortoise_config(os.environ.get("DATABASE_URL", DEFAULT_DSN))
"""For the aerich command line, which reads a name from pyproject.toml."""
