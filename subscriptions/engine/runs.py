"""Runs live queries on a snapshot: many of one shape by one statement, one alone, or one by the data loaders."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from graphql import GraphQLError

from core.database import Record, SharedSnapshot
from core.errors import ForbiddenError, LimitExceededError, QueryTooComplexError, UnavailableError
from core.limits import LIVE_BATCH_MAX, LIVE_BATCH_S
from core.viewer import ViewerKind
from resolvers.execution import render
from resolvers.faults import Faults
from resolvers.operation import Operation
from resolvers.plans import TENANT, Plan
from resolvers.rows import Rows
from subscriptions.engine.answers import Answer, digest
from subscriptions.engine.group import Group
from subscriptions.engine.outcomes import Failure, Outcome
from subscriptions.engine.questions import Question
from subscriptions.matching.read_sets import read_set

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Groups that one statement runs; of one, or of several of one plan and one tenant.

    Attributes:
        seconds: What it is expected to take; None where some of it has never been run.
    """

    groups: Sequence[Group]
    seconds: float | None


def batches(groups: Sequence[Group]) -> list[Batch]:
    """Puts groups together that can be run together; what is known to be quick comes first.

    A batch takes as many as are expected to take `LIVE_BATCH_S` together, by what each took the last time: where one
    of many is slow, all seem to be, and so are split until the one stands alone.
    """
    shapes: dict[tuple[object, ...], list[Group]] = {}
    for group in groups:
        shapes.setdefault(_shape(group), []).append(group)
    found = [batch for shape in shapes.values() for batch in _split(shape)]
    return sorted(found, key=lambda batch: (batch.seconds is None, batch.seconds or 0.0))


def _shape(group: Group) -> tuple[object, ...]:
    question = group.question
    if group.alone or question.plan is None or TENANT not in question.values or question.key.person:
        return (id(group),)
    return (id(question.plan), question.viewer.tenant_id, question.viewer.kind)


def _split(groups: Sequence[Group]) -> Iterator[Batch]:
    part: list[Group] = []
    seconds = 0.0
    for group in groups:
        share = group.seconds or 0.0
        if part and (len(part) == LIVE_BATCH_MAX or seconds + share > LIVE_BATCH_S):
            yield _batch(part)
            part, seconds = [], 0.0
        part.append(group)
        seconds += share
    yield _batch(part)


def _batch(groups: Sequence[Group]) -> Batch:
    known = [group.seconds for group in groups if group.seconds is not None]
    return Batch(groups, sum(known) if len(known) == len(groups) else None)


async def run(snapshot: SharedSnapshot, batch: Batch, clock_ms: int) -> list[Outcome | Failure]:
    """What the groups of a batch answer, in their order.

    A statement that fails leaves the snapshot unusable.

    Args:
        snapshot: The moment.
        batch: The groups.
        clock_ms: The time that the answers are true of, in milliseconds since the epoch.

    Raises:
        UnavailableError: The database is away.
        Exception: Whatever a statement for several groups has failed by; run each alone.
    """
    viewer = batch.groups[0].question.viewer
    platform = viewer.kind is ViewerKind.PLATFORM
    await snapshot.act_for(viewer.tenant_id, platform=platform, clock_ms=clock_ms)
    started = time.perf_counter()
    if len(batch.groups) > 1:
        outcomes = await _together(snapshot, batch.groups)
    else:
        outcomes = [await _alone(snapshot, batch.groups[0])]
    share = (time.perf_counter() - started) / len(batch.groups)
    for group in batch.groups:
        group.seconds = share
    return outcomes


async def _together(snapshot: SharedSnapshot, groups: Sequence[Group]) -> list[Outcome | Failure]:
    plan = groups[0].question.plan
    assert plan is not None  # noqa: S101 - only what has a plan is batched
    statement = plan.batch([group.question.values for group in groups])
    records = await snapshot.fetch(statement.sql, statement.arguments)
    found = {record["number"]: record for record in records}
    return [_compiled(plan, group, found.get(number)) for number, group in enumerate(groups, 1)]


async def _alone(snapshot: SharedSnapshot, group: Group) -> Outcome | Failure:
    question = group.question
    try:
        if question.plan is None:
            return await _executed(snapshot, question)
        statement = question.plan.bind(question.values)
        records = await snapshot.fetch(statement.sql, statement.arguments)
        return _compiled(question.plan, group, records[0] if records else None)
    except UnavailableError:
        raise
    except Exception as error:  # noqa: BLE001 - the failure of this query alone: told to its subscribers
        located = GraphQLError(str(error), path=[question.field], original_error=error)
        return _failure([located], Faults())


def _compiled(plan: Plan, group: Group, record: Record | None) -> Outcome:
    question = group.question
    data, facts = (record["data"], record["facts"]) if record else (None, None)
    answer = Answer.compiled(question.field, data)
    if facts is None:
        return Outcome(answer, None, read_set(plan.reads(question.values), question.viewer))
    told = digest(facts)
    if told == group.facts:
        return Outcome(answer, told, None)
    return Outcome(answer, told, read_set(plan.reads(question.values, facts), question.viewer))


async def _executed(snapshot: SharedSnapshot, question: Question) -> Outcome | Failure:
    """By graphql-core; an answer that a right is missing for is one, as the right may come."""
    rows = Rows(question.viewer, snapshot)
    operation = Operation(question.viewer, rows)
    result = await question.asked.through_loaders(operation)
    errors = result.errors or []
    for error in errors:
        if isinstance(error.original_error, UnavailableError):
            raise error.original_error
    timeouts = [error for error in errors if _is_timeout(error)]
    if timeouts:  # the statements after it have failed as well, which is not worth telling
        return _failure(timeouts, Faults())
    rendered = [render(error, operation.faults) for error in errors]
    refused = any(isinstance(error.original_error, ForbiddenError) for error in errors)
    if operation.faults.told is not None or (result.data is None and not refused):
        return _failure(errors, operation.faults)
    answer = Answer.executed({**({"errors": rendered} if rendered else {}), "data": result.data})
    return Outcome(answer, None, read_set(rows.reads, question.viewer))


def _is_timeout(error: GraphQLError) -> bool:
    cause = error.original_error
    return isinstance(cause, QueryTooComplexError) and not isinstance(cause, LimitExceededError)


def _failure(errors: Sequence[GraphQLError], faults: Faults) -> Failure:
    rendered = [render(error, faults) for error in errors]
    if faults.told is not None:
        story = faults.story()
        _log.error("a live query failed", error_id=faults.told.error_id, paths=faults.paths, exc_info=story)
    return Failure(rendered)
