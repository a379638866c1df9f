"""How long running jobs have when a server stops."""

from time import monotonic

import pytest

from api.shutdown import Shutdown


@pytest.mark.parametrize(("grace_s", "job_grace_s", "chosen_s"), [(600, 900, 600), (900, 600, 600)])
def test_job_deadline_is_that_of_the_shorter_grace(
    grace_s: float, job_grace_s: float, chosen_s: float
) -> None:
    shutdown = Shutdown(grace_s=grace_s)
    before = monotonic()
    shutdown.request(urgent=False)
    shutdown.begin_grace()
    assert before + chosen_s <= shutdown.find_job_deadline(job_grace_s) <= monotonic() + chosen_s


def test_job_deadline_does_not_move_at_the_end_of_requests() -> None:
    shutdown = Shutdown(grace_s=600)
    shutdown.request(urgent=False)
    shutdown.begin_grace()
    assert shutdown.find_job_deadline(900) == shutdown.find_job_deadline(900)


@pytest.mark.parametrize("signals", [[], [True], [False, False]], ids=["none", "urgent", "second"])
def test_job_deadline_is_over_without_a_signal_and_when_urgent(signals: list[bool]) -> None:
    shutdown = Shutdown(grace_s=600)
    for urgent in signals:
        shutdown.request(urgent=urgent)
    assert shutdown.find_job_deadline(600) < monotonic()
