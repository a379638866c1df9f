"""The states of shared queries: which transitions there are, and which queries a cycle may run."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from subscriptions.engine.query_states import QueryState, QueryStates
from subscriptions.engine.shared_query import SharedQuery
from tests.live.unit_queries import RecordingRun, build_live_query

LIVE_QUERY: Final = build_live_query(id="one")
TRANSITIONS: Final[dict[str, Callable[[QueryStates, SharedQuery], Any]]] = {
    "mark_dirty": QueryStates.mark_dirty,
    "mark_all_dirty": lambda states, _: states.mark_all_dirty(),
    "mark_running": lambda states, shared: states.mark_running(shared, RecordingRun(states.cycle)),
    "mark_clean": QueryStates.mark_clean,
    "mark_outdated": QueryStates.mark_outdated,
    "mark_failed": QueryStates.mark_failed,
    "close": QueryStates.close,
}
PATHS: Final = {
    QueryState.DIRTY: (),
    QueryState.RUNNING: ("mark_running",),
    QueryState.CLEAN: ("mark_running", "mark_clean"),
    QueryState.CLOSED: ("close",),
}
DRAWN: Final = {
    (QueryState.DIRTY, "mark_running"): QueryState.RUNNING,
    (QueryState.RUNNING, "mark_failed"): QueryState.DIRTY,
    (QueryState.RUNNING, "mark_outdated"): QueryState.DIRTY,
    (QueryState.RUNNING, "mark_clean"): QueryState.CLEAN,
    (QueryState.CLEAN, "mark_dirty"): QueryState.DIRTY,
    (QueryState.CLEAN, "mark_all_dirty"): QueryState.DIRTY,
    **{(state, "close"): QueryState.CLOSED for state in QueryState},
}
"""The arrows of the diagram in `query_states.py`."""
IGNORED: Final = {
    *((state, name) for state in QueryState for name in ("mark_dirty", "mark_all_dirty")),
    *((state, "mark_failed") for state in (QueryState.CLOSED, QueryState.DIRTY, QueryState.CLEAN)),
}
"""Transitions without effect, except those that are drawn."""


def build_states(state: QueryState) -> tuple[QueryStates, SharedQuery]:
    states, shared = QueryStates(), SharedQuery(LIVE_QUERY, 0)
    states.add(shared)
    states.cycle = 1
    for name in PATHS[state]:
        TRANSITIONS[name](states, shared)
    return states, shared


@pytest.mark.parametrize("state", QueryState)
@pytest.mark.parametrize("name", TRANSITIONS)
def test_transition_from_each_state_is_as_drawn(state: QueryState, name: str) -> None:
    states, shared = build_states(state)
    assert states.get_state(shared) is state
    if (state, name) not in DRAWN and (state, name) not in IGNORED:
        with pytest.raises(KeyError):
            TRANSITIONS[name](states, shared)
    else:
        TRANSITIONS[name](states, shared)
    expected = DRAWN.get((state, name), state)
    assert states.get_state(shared) is expected
    assert len(states) == (expected is not QueryState.CLOSED)
    assert states.list_runnable() == ([shared] if expected is QueryState.DIRTY else [])


def test_runnable_queries_are_in_the_order_in_which_they_became_dirty() -> None:
    states = QueryStates()
    one, two, new = (SharedQuery(LIVE_QUERY, since) for since in (0, 0, 1))
    for shared in (one, two, new):
        states.add(shared)
    states.cycle = 1
    assert states.list_runnable() == [one, two]
    states.mark_running(one, RecordingRun(1))
    states.mark_outdated(one)
    assert states.list_runnable() == [two, one]
    states.cycle = 2
    assert states.list_runnable() == [two, new, one]


def test_run_has_the_cycle_in_which_it_began() -> None:
    states, shared = build_states(QueryState.RUNNING)
    states.cycle = 7
    assert states.run_of(shared).cycle == 1
    states.mark_failed(shared)
    states.mark_running(shared, RecordingRun(7))
    assert states.run_of(shared).cycle == 7
