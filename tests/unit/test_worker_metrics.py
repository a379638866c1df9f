"""The merged metrics of several workers, and the rates that they share."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.observability.worker_metrics import WorkerMetrics, merge_metrics
from core.settings import Settings
from services.agents.agent_service import _build_agent_rate_limiter
from tests.waiting import HANG_S

_TEXT = """# HELP a_total Some
# TYPE a_total counter
a_total{{way="a b",path="{{"}} {0}
# HELP b Other
# TYPE b gauge
b {0}
"""


def test_merge_metrics_labels_each_sample_and_keeps_families_whole() -> None:
    merged = "\n".join([*merge_metrics({0: _TEXT.format(1), 1: _TEXT.format(2)}), ""])
    families = {family.name: family for family in text_string_to_metric_families(merged)}
    assert set(families) == {"a", "b"}
    assert [(s.labels, s.value) for s in families["a"].samples] == [
        ({"worker": "0", "way": "a b", "path": "{"}, 1),
        ({"worker": "1", "way": "a b", "path": "{"}, 2),
    ]
    assert [(s.labels["worker"], s.value) for s in families["b"].samples] == [("0", 1), ("1", 2)]


async def test_worker_metrics_without_an_answer_are_left_out() -> None:
    with tempfile.TemporaryDirectory() as directory:
        first, second = (WorkerMetrics(Path(directory), number, 3, lambda: 4) for number in range(2))
        async with await second.serve(lambda: _TEXT.format(7)):
            (Path(directory) / "worker-2").touch()  # of a process that was killed
            text = await asyncio.wait_for(first.collect(lambda: _TEXT.format(5)), HANG_S)
    assert 'b{worker="0"} 5' in text
    assert 'b{worker="1"} 7' in text
    assert 'b{worker="2"}' not in text
    assert [line for line in text.splitlines() if line.startswith("msp_worker_up{")] == [
        'msp_worker_up{worker="0"} 1',
        'msp_worker_up{worker="1"} 1',
        'msp_worker_up{worker="2"} 0',
    ]
    assert "msp_worker_restarts_total 4" in text


@pytest.mark.parametrize(
    ("limit", "workers", "expected"), [(12, 1, 12), (12, 2, 6), (12, 4, 3), (12, 16, 2), (1, 1, 1), (1, 8, 1)]
)
def test_agent_rate_is_divided_by_the_workers(limit: int, workers: int, expected: float) -> None:
    limiter = _build_agent_rate_limiter(Settings(agent_calls_per_minute=limit, workers=workers))
    assert limiter._token_s == 60 / expected
