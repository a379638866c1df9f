"""Runs live queries on a snapshot: several of one plan in one statement, one alone, or one by the data loaders."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from graphql import GraphQLError

from core.auth.viewer import ViewerKind
from core.database.database import Record, SharedReadTransaction
from core.errors import (
    AnswerTooLargeError,
    ForbiddenError,
    LimitExceededError,
    QueryTooComplexError,
    UnavailableError,
)
from core.limits import ANSWER_BYTES_MAX, LIVE_BATCH_BYTES, LIVE_BATCH_BYTES_MAX, LIVE_BATCH_MAX, LIVE_BATCH_S
from resolvers.compiler.plan import TENANT_SOURCE, Plan
from resolvers.context import RequestContext
from resolvers.graphql_errors import ErrorCollector, render_error
from resolvers.sql.data_access import DataAccess
from subscriptions.engine.live_query import LiveQuery
from subscriptions.engine.query_result import QueryResult, compute_digest
from subscriptions.engine.run_outcome import RunFailure, RunOutcome
from subscriptions.engine.shared_query import SharedQuery
from subscriptions.invalidation.read_sets import build_read_set

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class QueryBatch:
    """Shared queries that run in one statement: a single one, or several of one plan and one tenant.

    Attributes:
        shared_queries: The shared queries.
        seconds: The expected time. None if one of them has never run.
    """

    shared_queries: Sequence[SharedQuery]
    seconds: float | None


def build_batches(groups: Sequence[SharedQuery]) -> list[QueryBatch]:
    """Form batches of the queries that can run together. Batches that are known to be quick come first.

    The expected times in a batch add up to at most `LIVE_BATCH_S`, and the last answers to `LIVE_BATCH_BYTES`. The
    expected time of a query is its share of the last run. If one query of a batch is slow, all seem slow. The batch
    is then split in the next cycles, until the slow query is alone.
    """
    shapes: dict[tuple[object, ...], list[SharedQuery]] = {}
    for group in groups:
        shapes.setdefault(_batch_key(group), []).append(group)
    found = [batch for shape in shapes.values() for batch in _split_batch(shape)]
    return sorted(found, key=lambda batch: (batch.seconds is None, batch.seconds or 0.0))


def _batch_key(group: SharedQuery) -> tuple[object, ...]:
    question = group.query
    if (
        group.runs_unbatched
        or question.planned.plan is None
        or TENANT_SOURCE not in question.planned.values
        or question.key.person
    ):
        return (id(group),)
    return (id(question.planned.plan), question.viewer.tenant_id, question.viewer.kind)


def _split_batch(groups: Sequence[SharedQuery]) -> Iterator[QueryBatch]:
    chunk: list[SharedQuery] = []
    seconds, size = 0.0, 0
    for group in groups:
        share = group.seconds or 0.0
        full = seconds + share > LIVE_BATCH_S or size + group.size > LIVE_BATCH_BYTES
        if chunk and (full or len(chunk) == LIVE_BATCH_MAX):
            yield _build_batch(chunk)
            chunk, seconds, size = [], 0.0, 0
        chunk.append(group)
        seconds += share
        size += group.size
    yield _build_batch(chunk)


def _build_batch(groups: Sequence[SharedQuery]) -> QueryBatch:
    known = [group.seconds for group in groups if group.seconds is not None]
    return QueryBatch(groups, sum(known) if len(known) == len(groups) else None)


async def run_batch(
    snapshot: SharedReadTransaction, batch: QueryBatch, clock_ms: int
) -> list[RunOutcome | RunFailure]:
    """Run a batch. Returns the results in the order of its queries.

    The snapshot is unusable after a failed statement.

    Args:
        snapshot: The snapshot.
        batch: The batch.
        clock_ms: The time that the answers show, in milliseconds since the epoch.

    Raises:
        UnavailableError: The database is unavailable.
        Exception: The statement of several queries failed. Run each alone.
    """
    viewer = batch.shared_queries[0].query.viewer
    platform = viewer.kind is ViewerKind.PLATFORM
    await snapshot.set_tenant(viewer.tenant_id, platform=platform, clock_ms=clock_ms)
    several = len(batch.shared_queries) > 1
    snapshot.allow_bytes(LIVE_BATCH_BYTES_MAX if several else ANSWER_BYTES_MAX)
    started = time.perf_counter()
    if several:
        outcomes = await _run_together(snapshot, batch.shared_queries)
    else:
        outcomes = [await _run_single(snapshot, batch.shared_queries[0])]
    share = (time.perf_counter() - started) / len(batch.shared_queries)
    for group in batch.shared_queries:
        group.seconds = share
    return outcomes


async def _run_together(
    snapshot: SharedReadTransaction, groups: Sequence[SharedQuery]
) -> list[RunOutcome | RunFailure]:
    plan = groups[0].query.planned.plan
    assert plan is not None  # noqa: S101 - only what has a plan is batched
    statement = plan.build_batch([group.query.planned.values for group in groups])
    records = await snapshot.fetch(statement.sql, statement.arguments)
    found = {record["number"]: record for record in records}
    return [_compiled_outcome(plan, group, found.get(number)) for number, group in enumerate(groups, 1)]


async def _run_single(snapshot: SharedReadTransaction, group: SharedQuery) -> RunOutcome | RunFailure:
    query = group.query
    try:
        if query.planned.plan is None:
            return await _run_with_loaders(snapshot, query)
        statement = query.planned.plan.bind_values(query.planned.values)
        records = await snapshot.fetch(statement.sql, statement.arguments)
        return _compiled_outcome(query.planned.plan, group, records[0] if records else None)
    except UnavailableError:
        raise
    except Exception as error:  # noqa: BLE001 - only this query failed; its subscribers get the error
        located = GraphQLError(str(error), path=[query.planned.field], original_error=error)
        return _build_failure([located], ErrorCollector())


def _compiled_outcome(plan: Plan, group: SharedQuery, record: Record | None) -> RunOutcome | RunFailure:
    query = group.query
    data, facts = (record["data"], record["facts"]) if record else (None, None)
    if data is not None and len(data) > ANSWER_BYTES_MAX:
        error = AnswerTooLargeError()
        located = GraphQLError(str(error), path=[query.planned.field], original_error=error)
        return _build_failure([located], ErrorCollector())
    result = QueryResult.from_compiled(query.planned.field, data)
    if facts is None:
        return RunOutcome(result, None, build_read_set(plan.iter_reads(query.planned.values), query.viewer))
    has_facts = compute_digest(facts)
    if has_facts == group.facts:
        return RunOutcome(result, has_facts, None)
    return RunOutcome(
        result, has_facts, build_read_set(plan.iter_reads(query.planned.values, facts), query.viewer)
    )


async def _run_with_loaders(snapshot: SharedReadTransaction, query: LiveQuery) -> RunOutcome | RunFailure:
    """Run a query by graphql-core. A missing right is no failure, because the right may be granted later."""
    rows = DataAccess(query.viewer, snapshot)
    operation = RequestContext(query.viewer, rows)
    result = await query.executable.execute_with_loaders(operation)
    errors = result.errors or []
    for error in errors:
        if isinstance(error.original_error, UnavailableError):
            raise error.original_error
    timeouts = [error for error in errors if _is_timeout(error)]
    if timeouts:  # the statements after it failed as a consequence, so they are left out
        return _build_failure(timeouts, ErrorCollector())
    rendered = [render_error(error, operation.errors) for error in errors]
    refused = any(isinstance(error.original_error, ForbiddenError) for error in errors)
    has_answer = any(value is not None for value in (result.data or {}).values())
    if operation.errors.reported is not None or (errors and not has_answer and not refused):
        return _build_failure(errors, operation.errors)
    query_result = QueryResult.from_response(
        {**({"errors": rendered} if rendered else {}), "data": result.data}
    )
    return RunOutcome(query_result, None, build_read_set(rows.reads, query.viewer))


def _is_timeout(error: GraphQLError) -> bool:
    cause = error.original_error
    return isinstance(cause, QueryTooComplexError) and not isinstance(cause, LimitExceededError)


def _build_failure(errors: Sequence[GraphQLError], collector: ErrorCollector) -> RunFailure:
    rendered = [render_error(error, collector) for error in errors]
    if collector.reported is not None:
        traceback = collector.build_traceback()
        _log.error(
            "live query failed",
            error_id=collector.reported.error_id,
            paths=collector.paths,
            exc_info=traceback,
        )
    return RunFailure(rendered)
