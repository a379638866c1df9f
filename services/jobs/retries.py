"""What follows the end of an attempt: whether and when the job runs again."""

import random
import uuid

from core.limits import JOB_BACKOFF_MAX_S, JOB_BACKOFF_S, JOB_FAULT_ATTEMPTS_MAX, JOB_PAUSE_S
from models.enums import JobOutcome
from services.jobs.job_errors import JobError, JobRateLimitedError
from services.jobs.job_queue import ClaimedJob, JobResult


def judge_error(job: ClaimedJob, error: JobError) -> JobResult:
    """The result of an attempt that ended by this error."""
    delay_ms = _find_delay_ms(job, error)
    return JobResult(job, error.outcome, str(error), delay_ms, error.is_counted)


def _find_delay_ms(job: ClaimedJob, error: JobError) -> int | None:
    if isinstance(error, JobRateLimitedError):
        return max(0, round(error.retry_after_s * 1000))
    match error.outcome:
        case JobOutcome.RELEASED:
            return 0
        case JobOutcome.VENDOR_DOWN if job.attempts < job.attempts_max:
            return draw_backoff_ms(job.attempts)
        case _:
            return None


def judge_fault(job: ClaimedJob) -> JobResult:
    """The result of an attempt that ended by a fault of ours. Its error names the traceback in the log."""
    error_id = uuid.uuid4().hex
    attempts_max = min(job.attempts_max, JOB_FAULT_ATTEMPTS_MAX)
    delay_ms = draw_backoff_ms(job.attempts) if job.attempts < attempts_max else None
    return JobResult(job, JobOutcome.FAULT, f"Internal error; errorId {error_id}", delay_ms)


def release_job(job: ClaimedJob, reason: str) -> JobResult:
    """The result of an attempt that is given back for a reason that is not the job's."""
    return JobResult(job, JobOutcome.RELEASED, reason, round(JOB_PAUSE_S * 1000), is_counted=False)


def draw_backoff_ms(attempts: int) -> int:
    """The pause after so many attempts: exponential, with full jitter."""
    longest = min(JOB_BACKOFF_MAX_S, JOB_BACKOFF_S * 2.0 ** min(attempts - 1, 30))
    return round(random.uniform(0, longest) * 1000)  # noqa: S311 - spreads the retries
