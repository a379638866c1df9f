"""Live queries without a database, and runs that record what happens to them."""

from dataclasses import dataclass
from typing import Any, Final

from core.auth.rights import RIGHTS
from core.auth.viewer import Viewer, ViewerKind
from resolvers.documents.cache import DocumentCache
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.loaders.bindings import build_executable_schema
from subscriptions.engine.live_query import LiveQuery, LiveQueryFactory
from tests.operations import validate_text

SCHEMA = build_executable_schema()[1]


DOCUMENTS = DocumentCache(SCHEMA)


ASKING = LiveQueryFactory(ExecutionStrategy.AUTO)


VIEWER = Viewer(ViewerKind.USER, "tenant", "user", "role", RIGHTS, 1)


SITE: Final = "subscription ($id: ID!) { site(id: $id) { name } }"


def build_live_query(
    query: str = SITE, viewer: Viewer = VIEWER, wants: tuple[str, ...] = (), **variables: Any
) -> LiveQuery:
    extensions = dict.fromkeys(wants, True)
    return ASKING.build(validate_text(DOCUMENTS, query, variables, extensions=extensions), viewer)


@dataclass
class RecordingRun:
    """A run that counts how often one of its queries was closed."""

    cycle: int
    closed: int = 0

    def cancel_if_abandoned(self) -> None:
        self.closed += 1
