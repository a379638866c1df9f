"""What a subscription to a stream asks for, checked before anything is told."""

import json
from collections.abc import Mapping
from typing import Any

from graphql import GraphQLSchema

from core.errors import BadUserInputError
from core.limits import FILTER_VALUES_MAX
from core.viewer import Viewer
from resolvers.access import require_right
from resolvers.documents import Document
from resolvers.execution import Request, estimate
from resolvers.stream_documents import StreamDocument
from schema.streams import StreamType
from subscriptions.changes.moment import Moment
from subscriptions.streams.cursors import StreamCursor, binding_of
from subscriptions.streams.events import Wanted
from subscriptions.streams.stream import Key, Stream


def stream_for(
    schema: GraphQLSchema, document: Document, request: Request, viewer: Viewer, now: Moment
) -> Stream:
    """The stream that a valid document's subscription asks for: from `since` on, or from now.

    Raises:
        BadUserInputError: The variables or arguments cannot be, or the viewer has no tenant.
        ForbiddenError: The viewer may not read what it tells.
        LimitExceededError: A message costs too much.
    """
    estimate(document, request)
    definition = document.operation(request.operation_name)
    assert definition is not None  # noqa: S101 - what has been estimated is there
    asked = StreamDocument(schema, document, definition, request.variables)
    tenant_id = require_stream(viewer, asked.stream)
    _check(asked.arguments)
    binding = binding_of(asked.stream.field, tenant_id, asked.arguments)
    since: str | None = asked.arguments.get("since")
    return Stream(
        _key(request, viewer, asked),
        binding,
        Wanted.of(asked.stream.field, tenant_id, asked.arguments),
        asked,
        viewer,
        StreamCursor(now) if since is None else StreamCursor.parse(since, binding),
        behind=since is not None,
        greets=True,
    )


def require_stream(viewer: Viewer, stream: StreamType) -> str:
    """The tenant of a viewer, who must be allowed to read what a stream tells.

    Raises:
        BadUserInputError: The platform names no tenant.
        ForbiddenError: The viewer lacks the right.
    """
    require_right(viewer, stream.table)
    if viewer.tenant_id is None:
        raise BadUserInputError(f"`{stream.field}` are of a tenant: name one by X-Tenant-Id")
    return viewer.tenant_id


def _check(arguments: Mapping[str, Any]) -> None:
    agents = arguments.get("agentIds") or ()
    if len(agents) > FILTER_VALUES_MAX:
        raise BadUserInputError(f"agentIds has at most {FILTER_VALUES_MAX} values, not {len(agents)}")


def _key(request: Request, viewer: Viewer, asked: StreamDocument) -> Key:
    variables = json.dumps(asked.variables, sort_keys=True)
    key = Key(request.query, request.operation_name, variables, viewer.claims, None)
    return key.seen_by(viewer, asked)
