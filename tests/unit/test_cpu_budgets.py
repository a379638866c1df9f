"""Budgets of CPU time: the burst, the long-term rate, and the bounded memory of callers."""

import pytest

from core.cpu_budgets import CpuBudgets
from core.limits import CPU_BUDGET_CALLERS
from tests.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock[float]:
    return ManualClock(1_000.0)


def test_cpu_budget_after_idle_time_allows_a_burst_then_waits(clock: ManualClock[float]) -> None:
    budgets = CpuBudgets(0.1, 1.0, clock)
    assert budgets.wait_s("a") == 0
    budgets.charge("a", 1.0)
    assert budgets.wait_s("a") == 0
    budgets.charge("a", 0.5)
    assert budgets.wait_s("a") == pytest.approx(5)
    assert budgets.wait_s("b") == 0
    clock.now += 4.9
    assert budgets.wait_s("a") == pytest.approx(0.1)
    clock.now += 0.1
    assert budgets.wait_s("a") == pytest.approx(0)


def test_cpu_budget_over_time_allows_its_share(clock: ManualClock[float]) -> None:
    budgets, spent_s = CpuBudgets(0.1, 1.0, clock), 0.0
    while clock.now < 2_000:
        clock.now += budgets.wait_s("a") + 0.001
        budgets.charge("a", 0.05)
        spent_s += 0.05
    assert spent_s == pytest.approx(0.1 * 1_000 + 1.0, rel=0.05)


def test_cpu_budgets_of_many_callers_evict_the_least_recently_used(clock: ManualClock[float]) -> None:
    budgets = CpuBudgets(0.1, 1.0, clock)
    budgets.charge("first", 2.0)
    budgets.charge("second", 2.0)
    for number in range(CPU_BUDGET_CALLERS - 2):
        budgets.charge(str(number), 0.001)
    budgets.charge("first", 0.001)
    budgets.charge("one more", 0.001)
    assert len(budgets) == CPU_BUDGET_CALLERS
    assert budgets.wait_s("first") > 0
    assert budgets.wait_s("second") == 0
