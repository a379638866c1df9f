"""Validation of a subscription to a stream."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import FieldNode

from core.auth.sealing import TokenSealer
from core.auth.viewer import Viewer
from core.errors import BadUserInputError
from core.exact_json import build_json_key
from core.limits import FILTER_VALUES_MAX
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.documents.streams import StreamOperation
from resolvers.request import GraphQLRequest
from resolvers.sql.access import require_right
from schema.streams import StreamType
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.event_streams.cursors import StreamCursor, compute_binding
from subscriptions.event_streams.events import EventFilter
from subscriptions.event_streams.stream import EventStream, StreamDefinition, StreamKey


def build_stream(
    executable: ExecutableOperation,
    nodes: Sequence[FieldNode],
    viewer: Viewer,
    now: Snapshot,
    sealer: TokenSealer,
) -> EventStream:
    """Make the stream of a subscription: from `since` on, or from now. `nodes` are those of the stream.

    Raises:
        BadUserInputError: The variables, arguments or the cursor are invalid, or the viewer has no tenant.
        ForbiddenError: The viewer may not read the stream's events.
    """
    operation = StreamOperation(executable, nodes)
    tenant_id = require_stream_access(viewer, operation.stream)
    _check_arguments(operation.arguments)
    binding = compute_binding(operation.stream.field, tenant_id, operation.arguments)
    since: str | None = operation.arguments.get("since")
    return EventStream(
        _build_stream_key(executable.request, viewer, operation),
        StreamDefinition(
            binding,
            EventFilter.from_arguments(operation.stream.field, tenant_id, operation.arguments),
            operation,
        ),
        viewer,
        StreamCursor(now) if since is None else StreamCursor.open(since, binding, sealer),
        is_behind=since is not None,
        sends_first_message=True,
    )


def require_stream_access(viewer: Viewer, stream: StreamType) -> str:
    """Check that the viewer may read a stream. Returns the viewer's tenant.

    Raises:
        BadUserInputError: The platform names no tenant.
        ForbiddenError: The viewer lacks the right.
    """
    require_right(viewer, stream.table)
    if viewer.tenant_id is None:
        raise BadUserInputError(f"`{stream.field}` belong to a tenant: name one in the header X-Tenant-Id")
    return viewer.tenant_id


def _check_arguments(arguments: Mapping[str, Any]) -> None:
    agents = arguments.get("agentIds") or ()
    if len(agents) > FILTER_VALUES_MAX:
        raise BadUserInputError(f"agentIds must have at most {FILTER_VALUES_MAX} values, not {len(agents)}")


def _build_stream_key(request: GraphQLRequest, viewer: Viewer, operation: StreamOperation) -> StreamKey:
    variables = build_json_key(operation.variables)
    key = StreamKey(request.query, request.operation_name, variables, viewer.claims, None)
    return key.for_viewer(viewer, operation)
