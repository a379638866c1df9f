"""The application: what is served under which path."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from api.graphql import GraphQLApp
from api.health import Health
from core.database import Database
from core.settings import Settings
from core.tokens import TokenVerifier


def build_app(
    database: Database,
    verifier: TokenVerifier,
    settings: Settings,
    unready: Callable[[], Awaitable[str | None]],
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """The application on an open database; whoever opened it closes it.

    Args:
        database: what requests read.
        verifier: whom requests come from.
        settings: of this server.
        unready: says why the server cannot serve, None when it can; may raise what a database raises.
        more: routes of this start alone, such as the demo issuer's.
    """
    return Starlette(
        routes=[
            Route("/graphql", GraphQLApp(database, verifier, settings)),
            *Health(unready).routes(),
            *more,
        ]
    )
